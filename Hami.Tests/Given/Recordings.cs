using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;

namespace Hami.Tests.Given;

/// <summary>What a real Kubernetes 1.36 sent, one JSON object a line, in a file beside the test of the same name; without managedFields.</summary>
internal static class Recordings
{
    public static JsonObject[] Beside([CallerFilePath] string test = "") =>
        [.. File.ReadLines(Path.ChangeExtension(test, ".jsonl")).Select(line => JsonNode.Parse(line)!.AsObject())];

    /// <summary>All pods as the API server showed them.</summary>
    public static IEnumerable<JsonObject> Pods([CallerFilePath] string here = "") =>
        Beside(Path.Combine(Path.GetDirectoryName(here)!, "..", "Lab", "ApiServerRecordings.cs")).SelectMany(PodsIn);

    private static IEnumerable<JsonObject> PodsIn(JsonNode? node) => node switch
    {
        JsonObject it when it["kind"]?.ToString() == "Pod" && it["spec"]?["containers"] is JsonArray => [it],
        JsonObject map => map.SelectMany(p => PodsIn(p.Value)),
        JsonArray list => list.SelectMany(PodsIn),
        _ => [],
    };
}
