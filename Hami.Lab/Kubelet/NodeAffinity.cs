using System.Globalization;
using k8s.Models;

namespace Hami.Lab.Kubelet;

/// <summary>Whether a pod's node selector and its required node affinity allow a node.</summary>
internal static class NodeAffinity
{
    public static bool Allows(V1PodSpec spec, V1Node node)
    {
        var labels = node.Metadata.Labels ?? new Dictionary<string, string>(StringComparer.Ordinal);
        if (spec.NodeSelector?.All(s => labels.TryGetValue(s.Key, out var value) && value == s.Value) is false)
            return false;
        var terms = spec.Affinity?.NodeAffinity?.RequiredDuringSchedulingIgnoredDuringExecution?.NodeSelectorTerms;
        return terms is null || terms.Any(t => Matches(t, labels, node.Metadata.Name));
    }

    // A term without any condition matches nothing.
    private static bool Matches(V1NodeSelectorTerm term, IDictionary<string, string> labels, string name)
    {
        var onLabels = term.MatchExpressions ?? [];
        var onFields = term.MatchFields ?? [];
        return onLabels.Count + onFields.Count > 0
            && onLabels.All(r => Holds(r, labels.TryGetValue(r.Key, out var value) ? value : null))
            && onFields.All(r => Holds(r, r.Key == "metadata.name" ? name : null));
    }

    private static bool Holds(V1NodeSelectorRequirement requirement, string? value) => requirement.OperatorProperty switch
    {
        "In" => value is not null && requirement.Values.Contains(value),
        "NotIn" => value is null || !requirement.Values.Contains(value),
        "Exists" => value is not null,
        "DoesNotExist" => value is null,
        "Gt" => Compare(value, requirement) > 0,
        "Lt" => Compare(value, requirement) < 0,
        _ => false,
    };

    private static int? Compare(string? value, V1NodeSelectorRequirement requirement) =>
        long.TryParse(value, CultureInfo.InvariantCulture, out var have) && long.TryParse(requirement.Values.FirstOrDefault(), CultureInfo.InvariantCulture, out var wanted)
            ? have.CompareTo(wanted)
            : null;
}
