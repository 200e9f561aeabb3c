using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>The scheduler's own checks of a node, before the extender is asked.</summary>
internal static class NodeChecks
{
    /// <summary>Why this node cannot take the pod; null when it may.</summary>
    public static Refusal? Refuses(V1Pod pod, V1Node node)
    {
        if (node.Spec?.Unschedulable == true)
            return new("node(s) were unschedulable", Final: true);
        if (!IsReady(node))
            return new("node(s) had untolerated taint {node.kubernetes.io/not-ready: }", Final: true);
        if (!Selects(pod.Spec.NodeSelector, node))
            return new("node(s) didn't match Pod's node affinity/selector", Final: true);
        return null;
    }

    /// <summary>Whether a refused pod may fit after this change: the recorded wake-ups, and a node that becomes usable.</summary>
    public static bool MayMakeRoom(V1Node? before, V1Node? now) => (before, now) switch
    {
        (null, not null) => true,
        (_, null) => false,
        var (b, n) => !Same(b.Metadata.Annotations, n.Metadata.Annotations)
            || !Same(b.Metadata.Labels, n.Metadata.Labels)
            || (b.Spec?.Unschedulable == true && n.Spec?.Unschedulable != true)
            || (!IsReady(b) && IsReady(n)),
    };

    public static bool Same(IDictionary<string, string>? a, IDictionary<string, string>? b) =>
        (a?.Count ?? 0) == (b?.Count ?? 0)
        && (a is null || a.All(pair => b!.TryGetValue(pair.Key, out var value) && value == pair.Value));

    private static bool IsReady(V1Node node) =>
        node.Status?.Conditions?.Any(c => c.Type == "Ready" && c.Status == "True") == true;

    private static bool Selects(IDictionary<string, string>? selector, V1Node node) =>
        selector is null
        || selector.All(pair => node.Metadata.Labels is { } labels && labels.TryGetValue(pair.Key, out var value) && value == pair.Value);
}
