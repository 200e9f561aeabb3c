using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>What happened in the cluster, as far as it may let a refused pod fit.</summary>
[Flags]
internal enum Happenings
{
    None = 0,
    NodeAdded = 1 << 0,
    NodeGone = 1 << 1,
    NodeAllocatable = 1 << 2,
    NodeLabels = 1 << 3,
    NodeTaints = 1 << 4,
    NodeConditions = 1 << 5,
    NodeAnnotations = 1 << 6,
    PodAssigned = 1 << 7,
    PodGone = 1 << 8,
    PodLabels = 1 << 9,
    PodAsksLess = 1 << 10,
    PodTolerations = 1 << 11,

    /// <summary>Anything else about a pod, its status included.</summary>
    PodChanged = 1 << 12,

    /// <summary>An extender gives no hints, so a pod it refused is tried again whatever happens.</summary>
    Anything = (1 << 13) - 1,
}

/// <summary>What a change of an object amounts to.</summary>
internal static class Changes
{
    public static Happenings Of(V1Node before, V1Node now)
    {
        var happened = Happenings.None;
        if (before.Spec?.Unschedulable == true && now.Spec?.Unschedulable != true)
            happened |= Happenings.NodeTaints;
        if (!Same(before.Spec?.Taints, now.Spec?.Taints, t => (t.Key, t.Value, t.Effect)))
            happened |= Happenings.NodeTaints;
        if (!Labels.Same(Text(before.Status?.Allocatable), Text(now.Status?.Allocatable)))
            happened |= Happenings.NodeAllocatable;
        if (!Labels.Same(before.Metadata.Labels, now.Metadata.Labels))
            happened |= Happenings.NodeLabels;
        if (!Labels.Same(before.Metadata.Annotations, now.Metadata.Annotations))
            happened |= Happenings.NodeAnnotations;
        if (!Same(before.Status?.Conditions, now.Status?.Conditions, c => (c.Type, c.Status)))
            happened |= Happenings.NodeConditions;
        // A node that is not ready counts as tainted, see NodeState.
        if (NodeState.IsReady(before) != NodeState.IsReady(now))
            happened |= Happenings.NodeTaints;
        return happened;
    }

    public static Happenings Of(PodRecord before, PodRecord now)
    {
        var happened = Happenings.None;
        if (!Labels.Same(before.Labels, now.Labels))
            happened |= Happenings.PodLabels;
        if (now.Asks.IsLessThan(before.Asks))
            happened |= Happenings.PodAsksLess;
        if (before.Tolerations.Count != now.Tolerations.Count)
            happened |= Happenings.PodTolerations;
        return happened is Happenings.None ? Happenings.PodChanged : happened;
    }

    private static bool Same<T, TKey>(IList<T>? a, IList<T>? b, Func<T, TKey> key) => (a ?? []).Select(key).SequenceEqual((b ?? []).Select(key));

    private static Dictionary<string, string>? Text(IDictionary<string, ResourceQuantity>? quantities) =>
        quantities?.ToDictionary(q => q.Key, q => q.Value.ToString(), StringComparer.Ordinal);
}
