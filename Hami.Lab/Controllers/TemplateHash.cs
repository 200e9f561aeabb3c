using System.Globalization;
using System.Text.Json.Nodes;
using Hami.Lab.ApiServer;
using k8s;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>The short name of a pod template: <c>pod-template-hash</c>.</summary>
/// <remarks>A real controller hashes a dump of Go's structures, so its names differ; nothing depends on which they are, only that equal templates have equal ones.</remarks>
internal static class TemplateHash
{
    public const string Label = "pod-template-hash";

    public static string Of(V1PodTemplateSpec template, int? collisions) => Encode(Fnv32A(Canonical(template) + (collisions is null ? "" : $"#{collisions}")));

    /// <summary>Whether two templates make the same pods; the hash itself does not count.</summary>
    public static bool Same(V1PodTemplateSpec left, V1PodTemplateSpec right) => Canonical(left) == Canonical(right);

    private static string Canonical(V1PodTemplateSpec template)
    {
        var tree = JsonNode.Parse(KubernetesJson.Serialize(template))!;
        if (tree["metadata"]?["labels"] is JsonObject labels)
            labels.Remove(Label);
        return Sorted(tree)!.ToJsonString();
    }

    private static JsonNode? Sorted(JsonNode? node) => node switch
    {
        JsonObject map => new JsonObject(map.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => KeyValuePair.Create(p.Key, Sorted(p.Value)))),
        JsonArray list => new JsonArray([.. list.Select(Sorted)]),
        _ => node?.DeepClone(),
    };

    private static uint Fnv32A(string text) => text.Aggregate(2166136261u, (hash, letter) => unchecked((hash ^ letter) * 16777619u));

    private static string Encode(uint hash) => string.Concat(hash.ToString(CultureInfo.InvariantCulture).Select(c => Names.Letters[c % Names.Letters.Length]));
}
