using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using GraphQL;

namespace Hami.Api.Asking;

/// <summary>Where a row stands in a list: the value it is sorted by, and its id. It stays good while other rows come and go.</summary>
/// <param name="Order">The order it was given in.</param>
internal sealed record Cursor(string Order, object Key, string Id)
{
    private const char Text = 't', Number = 'n', Time = 'd';

    public string Encode()
    {
        var (kind, key) = Key switch
        {
            DateTimeOffset at => (Time, at.UtcTicks.ToString(CultureInfo.InvariantCulture)),
            long number => (Number, number.ToString(CultureInfo.InvariantCulture)),
            _ => (Text, (string)Key),
        };
        return Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(new[] { Order, kind + key, Id }));
    }

    /// <summary>Reads what a page before has given out.</summary>
    /// <exception cref="ExecutionError">It is none of ours, or of another order.</exception>
    public static Cursor Decode(string text, string order, Type key)
    {
        try
        {
            var (of, kind, value, id) = Read(text);
            if (of != order)
                throw new ExecutionError("The cursor given as after comes from another order of the list: begin without it, or ask in the order it was given in.");
            object parsed = kind switch
            {
                Text => value,
                Number => long.Parse(value, CultureInfo.InvariantCulture),
                Time => new DateTimeOffset(long.Parse(value, CultureInfo.InvariantCulture), TimeSpan.Zero),
                _ => throw Unknown(text),
            };
            return parsed.GetType() == key ? new(of, parsed, id) : throw Unknown(text);
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
        {
            throw Unknown(text);
        }
    }

    /// <summary>The order that a cursor was given in.</summary>
    /// <exception cref="ExecutionError">It is none of ours.</exception>
    public static string OrderOf(string text) => Read(text).Order;

    private static (string Order, char Kind, string Value, string Id) Read(string text)
    {
        try
        {
            return JsonSerializer.Deserialize<string[]>(Base64Url.DecodeFromChars(text)) is [{ } order, [var kind, .. var value], { } id] ? (order, kind, value, id) : throw Unknown(text);
        }
        catch (Exception e) when (e is FormatException or JsonException or ArgumentException or DecoderFallbackException)
        {
            throw Unknown(text);
        }
    }

    private static ExecutionError Unknown(string text) =>
        new($"The cursor \"{(text.Length > 40 ? text[..40] + "…" : text)}\" given as after is none that this list gives: take endCursor, or the cursor of a row, as it is.");
}
