using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Small words for JSON trees that System.Text.Json lacks.</summary>
internal static class Json
{
    // Go's encoder escapes far less than .NET's default one; quotes inside annotations must stay \" and not \u0022.
    private static readonly JsonWriterOptions Writing = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonReaderOptions Reading = new() { MaxDepth = 512 };

    private const int LargestKept = 256 * 1024;

    // Names of properties are few, and come again and again.
    private const int LongestKept = 48;
    private static readonly string?[] KnownNames = new string?[1024];

    [ThreadStatic]
    private static (ArrayBufferWriter<byte> Buffer, Utf8JsonWriter Writer)? Writer;

    /// <summary>Reads a text whole, so that many threads may share the tree. Of a name that comes twice the last value counts, and its path is noted where a list is given.</summary>
    public static JsonNode? Parse(ReadOnlySpan<byte> utf8, List<string>? duplicates = null)
    {
        try
        {
            var reader = new Utf8JsonReader(utf8, Reading);
            reader.Read();
            var node = ReadValue(ref reader, "", duplicates);
            // Whatever is not white space after it is refused by this.
            return reader.Read() ? throw new JsonException("invalid character after top-level value") : node;
        }
        catch (InvalidOperationException e)
        {
            throw new JsonException($"A text is no Unicode: {e.Message}", e);
        }
    }

    public static byte[] Utf8(JsonNode? node)
    {
        var (buffer, writer) = Writer ??= NewWriter();
        try
        {
            if (node is null)
                writer.WriteNullValue();
            else
                node.WriteTo(writer);
            writer.Flush();
            return buffer.WrittenSpan.ToArray();
        }
        finally
        {
            // One that has become large is not kept for small ones.
            Writer = buffer.Capacity > LargestKept ? null : Writer;
            buffer.ResetWrittenCount();
            writer.Reset(buffer);
        }
    }

    /// <summary>The node as one line of JSON.</summary>
    public static string Text(JsonNode? node) => Encoding.UTF8.GetString(Utf8(node));

    public static JsonObject Copy(JsonObject map) => (JsonObject)map.DeepClone();

    /// <summary>The node at a path of property names; null where the path ends early.</summary>
    public static JsonNode? At(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
        {
            if (node is not JsonObject map)
                return null;
            node = map[name];
        }
        return node;
    }

    public static JsonObject? MapAt(this JsonNode? node, params ReadOnlySpan<string> path) => node.At(path) as JsonObject;

    public static JsonArray? ListAt(this JsonNode? node, params ReadOnlySpan<string> path) => node.At(path) as JsonArray;

    /// <summary>The text at a path; numbers and booleans in their JSON spelling, null for anything else.</summary>
    public static string? TextAt(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value ? value.TryGetValue<string>(out var text) ? text : value.ToJsonString() : null;

    public static long? NumberAt(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value && long.TryParse(value.ToJsonString(), out var number) ? number : null;

    public static bool FlagAt(this JsonNode? node, params ReadOnlySpan<string> path) =>
        node.At(path) is JsonValue value && value.TryGetValue<bool>(out var flag) && flag;

    /// <summary>The items of a list that are objects; empty where there is no list.</summary>
    public static IEnumerable<JsonObject> Objects(this JsonNode? list) => (list as JsonArray ?? []).OfType<JsonObject>();

    /// <summary>The object under a name, made when missing.</summary>
    public static JsonObject Child(this JsonObject map, string name)
    {
        if (map[name] is JsonObject child)
            return child;
        child = [];
        map[name] = child;
        return child;
    }

    /// <summary>The list under a name, made when missing.</summary>
    public static JsonArray ChildList(this JsonObject map, string name)
    {
        if (map[name] is JsonArray child)
            return child;
        child = [];
        map[name] = child;
        return child;
    }

    public static void SetIfMissing(this JsonObject map, string name, JsonNode value)
    {
        if (map[name] is null)
            map[name] = value;
    }

    public static JsonArray Texts(IEnumerable<string> texts) => new([.. texts.Select(t => (JsonNode?)t)]);

    public static bool Same(JsonNode? left, JsonNode? right) => JsonNode.DeepEquals(left, right);

    /// <summary>Takes over a value under another name, or drops the name when there is none.</summary>
    public static void Put(this JsonObject map, string name, JsonNode? value)
    {
        if (value is null)
            map.Remove(name);
        else
            map[name] = value.Parent is null ? value : value.DeepClone();
    }

    private static (ArrayBufferWriter<byte>, Utf8JsonWriter) NewWriter()
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        return (buffer, new(buffer, Writing));
    }

    private static string NameIn(ref Utf8JsonReader reader)
    {
        if (reader.ValueIsEscaped || reader.ValueSpan.Length > LongestKept)
            return reader.GetString()!;
        var hash = new HashCode();
        hash.AddBytes(reader.ValueSpan);
        ref var known = ref KnownNames[(uint)hash.ToHashCode() % KnownNames.Length];
        if (known is { } name && reader.ValueTextEquals(name))
            return name;
        return known = reader.GetString()!;
    }

    private static JsonNode? ReadValue(ref Utf8JsonReader reader, string path, List<string>? duplicates)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                var map = new JsonObject();
                while (reader.Read() && reader.TokenType is not JsonTokenType.EndObject)
                {
                    var name = NameIn(ref reader);
                    var at = duplicates is null ? "" : path.Length == 0 ? name : $"{path}.{name}";
                    if (duplicates is not null && map.ContainsKey(name))
                        duplicates.Add(at);
                    reader.Read();
                    map[name] = ReadValue(ref reader, at, duplicates);
                }
                return map;
            case JsonTokenType.StartArray:
                var list = new JsonArray();
                while (reader.Read() && reader.TokenType is not JsonTokenType.EndArray)
                    list.Add(ReadValue(ref reader, duplicates is null ? "" : $"{path}[{list.Count}]", duplicates));
                return list;
            case JsonTokenType.String:
                return JsonValue.Create(reader.GetString());
            case JsonTokenType.True:
                return JsonValue.Create(true);
            case JsonTokenType.False:
                return JsonValue.Create(false);
            case JsonTokenType.Null:
                return null;
            default:
                // A number keeps its spelling.
                return JsonValue.Create(JsonElement.ParseValue(ref reader));
        }
    }
}
