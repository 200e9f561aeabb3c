using System.Text.Json;

namespace Hami.Api.Placing;

/// <summary>Walks over the members of an object without making a document of it.</summary>
internal static class JsonMembers
{
    /// <summary>Called with the reader on a member's value; must leave it on the value's last token.</summary>
    public delegate void Member(ref Utf8JsonReader reader, string name);

    /// <summary>Calls <paramref name="member"/> for each member of the object the reader stands on.</summary>
    /// <param name="what">What is read, for the error.</param>
    /// <exception cref="JsonException">The reader does not stand on an object.</exception>
    public static void Each(ref Utf8JsonReader reader, string what, Member member)
    {
        if (reader.TokenType is not JsonTokenType.StartObject)
            throw new JsonException($"{what} is not an object");
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            member(ref reader, name);
        }
    }
}
