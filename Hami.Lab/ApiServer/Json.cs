using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Small words for JSON trees that System.Text.Json lacks.</summary>
internal static class Json
{
    // Go's encoder escapes far less than .NET's default one; quotes inside annotations must stay \" and not \u0022.
    private static readonly JsonWriterOptions Writing = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonDocumentOptions Reading = new() { AllowDuplicateProperties = false, MaxDepth = 512 };

    public static JsonNode? Parse(ReadOnlySpan<byte> utf8) => Settle(JsonNode.Parse(utf8, documentOptions: Reading));

    public static byte[] Utf8(JsonNode? node)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, Writing))
        {
            if (node is null)
                writer.WriteNullValue();
            else
                node.WriteTo(writer);
        }
        return buffer.ToArray();
    }

    /// <summary>Unfolds every lazily parsed object once, so that later readers may share the tree between threads.</summary>
    public static JsonNode? Settle(JsonNode? node)
    {
        switch (node)
        {
            case JsonObject map:
                foreach (var (_, value) in map)
                    Settle(value);
                break;
            case JsonArray list:
                foreach (var item in list)
                    Settle(item);
                break;
        }
        return node;
    }

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

    public static bool Same(JsonNode? left, JsonNode? right) => JsonNode.DeepEquals(left, right);

    /// <summary>Takes over a value under another name, or drops the name when there is none.</summary>
    public static void Put(this JsonObject map, string name, JsonNode? value)
    {
        if (value is null)
            map.Remove(name);
        else
            map[name] = value.Parent is null ? value : value.DeepClone();
    }
}
