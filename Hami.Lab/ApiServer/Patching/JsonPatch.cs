using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>RFC 6902 on a JSON tree. Throws <see cref="FormatException"/> when an operation cannot be done.</summary>
internal static class JsonPatch
{
    // apiserver, patch.go: copies of copies double, and thirty of them would fill any memory.
    private const int MostCopied = 3 * 1024 * 1024;

    public static JsonObject Apply(JsonObject target, JsonArray operations)
    {
        JsonNode? document = target.DeepClone();
        var copied = 0L;
        foreach (var operation in operations.Objects())
        {
            if (operation.TextAt("op") is "copy" && (copied += Json.Utf8(Find(document, From(operation), "copy")).Length) > MostCopied)
                throw new FormatException($"Unable to copy, the accumulated size increase of copy operations is {copied}, exceeding the limit {MostCopied}");
            document = Apply(document, operation);
        }
        return document as JsonObject ?? throw new FormatException("the patch left no object");
    }

    private static JsonNode? Apply(JsonNode? document, JsonObject operation)
    {
        var path = operation.TextAt("path") ?? throw new FormatException("operation without a path");
        var kind = operation.TextAt("op");
        switch (kind)
        {
            case "add":
                return Add(document, path, Value(operation));
            case "remove":
                return Remove(document, path);
            case "replace":
                _ = Find(document, path, kind);
                return path.Length == 0 ? Value(operation) : Replace(document, path, Value(operation));
            case "move":
                var moved = Find(document, From(operation), kind)?.DeepClone();
                return Add(Remove(document, From(operation)), path, moved);
            case "copy":
                return Add(document, path, Find(document, From(operation), kind)?.DeepClone());
            case "test":
                return Json.Same(Find(document, path, kind), operation["value"])
                    ? document
                    : throw new FormatException($"testing value {path} failed: test failed");
            default:
                throw new FormatException($"Unexpected kind: {kind}");
        }
    }

    private static JsonNode? Value(JsonObject operation) =>
        operation.TryGetPropertyValue("value", out var value) ? value?.DeepClone() : throw new FormatException("operation without a value");

    private static string From(JsonObject operation) => operation.TextAt("from") ?? throw new FormatException("operation without a from");

    private static string[] Steps(string path) => path.Length == 0
        ? []
        : path[0] == '/'
            ? [.. path[1..].Split('/').Select(s => s.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal))]
            : throw new FormatException($"the path {path} does not start with a slash");

    private static JsonNode? Find(JsonNode? document, string path, string operation)
    {
        foreach (var step in Steps(path))
        {
            document = document switch
            {
                JsonObject map when map.TryGetPropertyValue(step, out var value) => value,
                JsonArray list when int.TryParse(step, out var i) && i >= 0 && i < list.Count => list[i],
                _ => throw new FormatException($"{operation} operation does not apply: doc is missing path: \"{path}\": missing value"),
            };
        }
        return document;
    }

    private static (JsonNode Parent, string Last) Parent(JsonNode? document, string path, string operation)
    {
        var last = Steps(path)[^1];
        var cut = path.LastIndexOf('/');
        return (Find(document, path[..cut], operation) ?? throw new FormatException($"{operation} operation does not apply: doc is missing path: \"{path}\": missing value"), last);
    }

    private static JsonNode? Add(JsonNode? document, string path, JsonNode? value)
    {
        if (path.Length == 0)
            return value;
        switch (Parent(document, path, "add"))
        {
            case (JsonObject map, var name):
                map[name] = value;
                break;
            case (JsonArray list, "-"):
                list.Add(value);
                break;
            case (JsonArray list, var index) when int.TryParse(index, out var i) && i >= 0 && i <= list.Count:
                list.Insert(i, value);
                break;
            default:
                throw new FormatException($"add operation does not apply: doc is missing path: \"{path}\": missing value");
        }
        return document;
    }

    private static JsonNode? Replace(JsonNode? document, string path, JsonNode? value)
    {
        switch (Parent(document, path, "replace"))
        {
            case (JsonObject map, var name):
                map[name] = value;
                break;
            case (JsonArray list, var index):
                list[int.Parse(index)] = value;
                break;
        }
        return document;
    }

    private static JsonNode? Remove(JsonNode? document, string path)
    {
        _ = Find(document, path, "remove");
        if (path.Length == 0)
            return null;
        switch (Parent(document, path, "remove"))
        {
            case (JsonObject map, var name):
                map.Remove(name);
                break;
            case (JsonArray list, var index):
                list.RemoveAt(int.Parse(index));
                break;
        }
        return document;
    }
}
