using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>The patch of a request: a function from the object that is there to the object that shall be there.</summary>
/// <param name="Apply">Changes a copy of the object, and returns what it has become.</param>
/// <param name="Shown">What an error about the patched object shows: the object, or for a strategic patch the patch as Go prints it.</param>
/// <param name="LeavesSpec">It has no word about anything but metadata and status.</param>
internal sealed record Patch(Func<JsonObject, JsonObject> Apply, Func<JsonObject, string> Shown, bool LeavesSpec);

/// <summary>Reads patches.</summary>
internal static class Patches
{
    private const string JsonType = "application/json-patch+json";
    private const string MergeType = "application/merge-patch+json";
    private const string StrategicType = "application/strategic-merge-patch+json";
    private const int MostOperations = 10_000;

    public static Patch Of(string? contentType, ReadOnlyMemory<byte> body, WriteOptions options)
    {
        switch (contentType?.Split(';')[0].Trim())
        {
            case JsonType:
                var operations = Parse(body, options, "error decoding patch: ") as JsonArray
                    ?? throw KubernetesError.BadRequest("error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp");
                if (operations.Count > MostOperations)
                {
                    throw new KubernetesError(413, "RequestEntityTooLarge",
                        $"Request entity too large: The allowed maximum operations in a JSON patch is {MostOperations}, got {operations.Count}");
                }
                return new(current => Applied(current, operations), Json.Text, LeavesSpec: false);
            case MergeType:
                var merge = Map(body, options, "error decoding patch: ");
                return new(current => MergePatch.Apply(current, merge), Json.Text, LeavesSpec(merge));
            case StrategicType:
                var strategic = Map(body, options, "");
                return new(current => StrategicMergePatch.Apply(current, strategic), _ => GoText(strategic), LeavesSpec(strategic));
            // Server-side apply included: it needs field ownership, which the lab does not keep.
            default:
                throw KubernetesError.UnsupportedMediaType(string.Join(", ", JsonType, MergeType, StrategicType));
        }
    }

    private static bool LeavesSpec(JsonObject patch) => patch.All(p => p.Key is "metadata" or "status");

    private static JsonNode? Parse(ReadOnlyMemory<byte> body, WriteOptions options, string prefix)
    {
        try
        {
            return Json.Parse(body.Span, options.Duplicates);
        }
        catch (JsonException e)
        {
            throw KubernetesError.BadRequest(prefix + Intake.GoWords(e, body.Span));
        }
    }

    private static JsonObject Map(ReadOnlyMemory<byte> body, WriteOptions options, string prefix) => Parse(body, options, prefix) as JsonObject
        ?? throw KubernetesError.BadRequest($"{prefix}json: cannot unmarshal array into Go value of type map[string]interface {{}}");

    private static JsonObject Applied(JsonObject current, JsonArray operations)
    {
        try
        {
            return JsonPatch.Apply(current, operations);
        }
        catch (FormatException)
        {
            throw KubernetesError.Unprocessable();
        }
    }

    /// <summary>A tree as Go's %+v writes it: names in order, no quotes.</summary>
    public static string GoText(JsonNode? node) => node switch
    {
        JsonObject map => $"map[{string.Join(' ', map.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => $"{p.Key}:{GoText(p.Value)}"))}]",
        JsonArray list => $"[{string.Join(' ', list.Select(GoText))}]",
        JsonValue value => value.TryGetValue<string>(out var text) ? text : value.ToJsonString(),
        _ => "<nil>",
    };
}
