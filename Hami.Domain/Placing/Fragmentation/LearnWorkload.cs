using Hami.Domain.Ledger;

namespace Hami.Domain.Placing.Fragmentation;

/// <summary>Measure leftovers by what the log has taught, if enough has come since the last time.</summary>
public sealed record LearnWorkload;

public static class LearnWorkloadDecider
{
    /// <summary>True when the log has taught enough for another workload; one that an admin gave stays.</summary>
    public static bool IsDue(ClusterLedger cluster) => cluster.Workload is not { Asks: 0 } && cluster.Learned.IsNewsSince(cluster.Workload?.Asks ?? 0);

    public static Verdict<PolicyEvent> Decide(LearnWorkload command, ClusterLedger cluster) => IsDue(cluster)
        ? new PolicyEvent.WorkloadMixLearned(cluster.Learned.Mix(), CardsByModel(cluster), cluster.Learned.Asks, "learned from the pods placed so far")
        : Verdict<PolicyEvent>.Nothing;

    internal static IReadOnlyDictionary<string, int> CardsByModel(ClusterLedger cluster) => cluster.Nodes.Values.SelectMany(n => n.Cards)
        .GroupBy(c => c.Model, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
}

/// <summary>Measure leftovers by a workload that an admin gives.</summary>
public sealed record GiveWorkload(WorkloadMix Mix, string Source);

public static class GiveWorkloadDecider
{
    public static Verdict<PolicyEvent> Decide(GiveWorkload command, ClusterLedger cluster) =>
        cluster.Workload is { Asks: 0 } before && before.Mix.Kinds.SequenceEqual(command.Mix.Kinds)
            ? Verdict<PolicyEvent>.Nothing
            : new PolicyEvent.WorkloadMixLearned(command.Mix, LearnWorkloadDecider.CardsByModel(cluster), 0, command.Source);
}

/// <summary>Measure leftovers by what the log has taught again, although an admin gave a workload before.</summary>
public sealed record TakeWorkloadBack;

public static class TakeWorkloadBackDecider
{
    public static Verdict<PolicyEvent> Decide(TakeWorkloadBack command, ClusterLedger cluster) => cluster.Workload is not { Asks: 0 }
        ? Verdict<PolicyEvent>.Nothing
        // 0 would say that this one is given, too; before anything was learned it is the assumed one.
        : new PolicyEvent.WorkloadMixLearned(
            cluster.Learned.Mix(), LearnWorkloadDecider.CardsByModel(cluster), Math.Max(1, cluster.Learned.Asks),
            "learned from the pods placed so far, since no workload is given any more");
}
