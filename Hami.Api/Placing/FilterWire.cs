using System.Text.Json;
using System.Text.Json.Serialization;
using Hami.Api.Plumbing.Kubernetes;

namespace Hami.Api.Placing;

/// <summary>kube-scheduler's <c>ExtenderArgs</c>.</summary>
/// <param name="Nodes">Full node objects, with <c>nodeCacheCapable: false</c>.</param>
/// <param name="NodeNames">Names only, with <c>nodeCacheCapable: true</c>.</param>
internal sealed record FilterArguments(PodJson? Pod, NodeListJson? Nodes, List<string>? NodeNames);

/// <summary>A list of nodes that goes back as it came, less the nodes that do not fit.</summary>
internal sealed record NodeListJson([property: JsonPropertyName("items")] List<JsonElement>? Items)
{
    public static string? NameOf(JsonElement node) =>
        node.ValueKind is JsonValueKind.Object && node.TryGetProperty("metadata", out var meta) && meta.ValueKind is JsonValueKind.Object
            && meta.TryGetProperty("name", out var name) ? name.GetString() : null;
}

/// <summary>kube-scheduler's <c>ExtenderFilterResult</c>; member names in Go's casing.</summary>
internal sealed record FilterResult(
    NodeListJson? Nodes, IReadOnlyList<string>? NodeNames, IReadOnlyDictionary<string, string>? FailedNodes,
    IReadOnlyDictionary<string, string>? FailedAndUnresolvableNodes, string Error)
{
    public static FilterResult Failed(string sentence) => new(null, null, null, null, sentence);
}
