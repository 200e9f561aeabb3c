using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>What a pod says about the node itself: <c>nodeSelector</c>, required node affinity, tolerations.</summary>
internal static class NodeMatch
{
    private const string NameField = "metadata.name";
    private static readonly V1Taint Cordon = new() { Key = "node.kubernetes.io/unschedulable", Effect = "NoSchedule" };

    private static readonly Refusal Cordoned = Refusal.Final("node(s) were unschedulable", Happenings.NodeAdded | Happenings.NodeTaints | Happenings.PodTolerations);

    private static readonly Refusal Tainted = Refusal.Final("node(s) had untolerated taint(s)", Happenings.NodeAdded | Happenings.NodeTaints | Happenings.PodTolerations);

    private static readonly Refusal Unselected = Refusal.Final("node(s) didn't match Pod's node affinity/selector", Happenings.NodeAdded | Happenings.NodeLabels);

    /// <summary>All terms name other nodes than the next: no node can hold the pod.</summary>
    public const string Conflict = "pod affinity terms conflict";

    /// <summary>The node is none of those the pod names.</summary>
    public static readonly Refusal NotNamed = Refusal.Final("node(s) didn't satisfy plugin(s) [NodeAffinity]", Happenings.NodeAdded | Happenings.NodeLabels);

    public static Refusal? Refuses(V1Pod pod, NodeState node)
    {
        var tolerations = pod.Spec.Tolerations;
        if (node.IsCordoned && !Tolerates(tolerations, Cordon))
            return Cordoned;
        foreach (var taint in node.Taints.AsSpan())
        {
            if (taint.Effect is "NoSchedule" or "NoExecute" && !Tolerates(tolerations, taint))
                return Tainted;
        }
        return Selects(pod.Spec, node.Name, node.Labels) ? null : Unselected;
    }

    /// <summary>The only nodes a pod can go to when every term of its affinity names some; null when any may do.</summary>
    public static IReadOnlySet<string>? Named(V1Pod pod)
    {
        if (Required(pod.Spec)?.NodeSelectorTerms is not { Count: > 0 } terms)
            return null;
        var named = new HashSet<string>(StringComparer.Ordinal);
        foreach (var term in terms)
        {
            var fields = (term.MatchFields ?? []).Where(f => f is { Key: NameField, OperatorProperty: "In" }).ToList();
            if (fields.Count == 0)
                return null;
            named.UnionWith(fields.Select(f => (IEnumerable<string>)f.Values).Aggregate((a, b) => a.Intersect(b, StringComparer.Ordinal)));
        }
        return named;
    }

    /// <summary>Whether the pod's node selector and its required node affinity allow the node.</summary>
    public static bool Selects(V1PodSpec pod, string node, IDictionary<string, string>? labels)
    {
        if (pod.NodeSelector is { } selector && !selector.All(pair => labels.Value(pair.Key) == pair.Value))
            return false;
        return Required(pod) is not { } required || required.NodeSelectorTerms.Any(term => Holds(term, node, labels));
    }

    public static bool HasPreferences(V1Pod pod) => pod.Spec.Affinity?.NodeAffinity?.PreferredDuringSchedulingIgnoredDuringExecution is { Count: > 0 };

    /// <summary>How much the pod would like this node: the weights of the preferences that hold.</summary>
    public static long Preference(V1Pod pod, NodeState node) =>
        (pod.Spec.Affinity?.NodeAffinity?.PreferredDuringSchedulingIgnoredDuringExecution ?? [])
            .Where(p => Holds(p.Preference, node.Name, node.Labels))
            .Sum(p => (long)p.Weight);

    /// <summary>How many taints would rather not have the pod.</summary>
    public static long Reluctance(V1Pod pod, NodeState node)
    {
        var untolerated = 0;
        foreach (var taint in node.Taints.AsSpan())
            untolerated += taint.Effect == "PreferNoSchedule" && !Tolerates(pod.Spec.Tolerations, taint) ? 1 : 0;
        return untolerated;
    }

    public static bool Tolerates(IList<V1Toleration>? tolerations, V1Taint taint)
    {
        foreach (var toleration in tolerations ?? [])
        {
            var meant = (string.IsNullOrEmpty(toleration.Effect) || toleration.Effect == taint.Effect)
                && (string.IsNullOrEmpty(toleration.Key) || toleration.Key == taint.Key);
            if (meant && (toleration.OperatorProperty == "Exists" || (toleration.OperatorProperty is null or "" or "Equal" && (toleration.Value ?? "") == (taint.Value ?? ""))))
                return true;
        }
        return false;
    }

    private static V1NodeSelector? Required(V1PodSpec pod) => pod.Affinity?.NodeAffinity?.RequiredDuringSchedulingIgnoredDuringExecution;

    // A term without any expression holds nowhere.
    private static bool Holds(V1NodeSelectorTerm term, string node, IDictionary<string, string>? labels) =>
        (term.MatchExpressions is { Count: > 0 } || term.MatchFields is { Count: > 0 })
        && (term.MatchExpressions ?? []).All(e => Labels.Holds(e.OperatorProperty, labels.Value(e.Key), e.Values))
        && (term.MatchFields ?? []).All(f => f.Key == NameField && Labels.Holds(f.OperatorProperty, node, f.Values));
}
