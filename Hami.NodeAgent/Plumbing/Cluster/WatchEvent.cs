using System.Net;
using System.Text.Json;

namespace Hami.NodeAgent.Plumbing.Cluster;

internal enum WatchEventType
{
    Added,
    Modified,
    Deleted,

    /// <summary>Nothing happened; the pod has a resource version alone.</summary>
    Bookmark,
}

/// <summary>What a watch tells of one pod.</summary>
internal readonly record struct WatchEvent(WatchEventType Type, Pod Pod)
{
    /// <param name="line">A line of the API server's answer to a watch.</param>
    /// <exception cref="ApiServerException">The watch cannot go on, as when it begins too long ago (410 Gone).</exception>
    /// <exception cref="JsonException">This is no line of a watch.</exception>
    public static WatchEvent Read(ReadOnlySpan<byte> line)
    {
        var reader = new Utf8JsonReader(line);
        WatchEventType? type = null;
        var told = -1;
        reader.Read();
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            var (isType, isObject) = (reader.ValueTextEquals("type"u8), reader.ValueTextEquals("object"u8));
            reader.Read();
            if (isType && !reader.ValueTextEquals("ERROR"u8))
                type = Enum.TryParse(reader.GetString(), ignoreCase: true, out WatchEventType read) ? read : throw new JsonException("The API server tells of a change of a kind that watches do not have.");
            // Kubernetes says first what kind of change it is.
            else if (isObject && type is { } known)
                return new(known, JsonSerializer.Deserialize(ref reader, ClusterJson.Default.Pod)!);
            else if (isObject)
                told = (int)reader.TokenStartIndex;
            reader.Skip();
        }
        if (told < 0)
            throw new JsonException("The API server tells of a change without an object.");
        var @object = new Utf8JsonReader(line[told..]);
        if (type is { } what)
            return new(what, JsonSerializer.Deserialize(ref @object, ClusterJson.Default.Pod)!);
        var refusal = JsonSerializer.Deserialize(ref @object, ClusterJson.Default.Refusal);
        throw new ApiServerException((HttpStatusCode)(refusal?.Code ?? 500), refusal?.Message ?? "The API server ended the watch.");
    }
}
