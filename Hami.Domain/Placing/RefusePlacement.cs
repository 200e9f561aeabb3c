using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>Keep in the log why a pod found no node.</summary>
/// <param name="LogPosition">Position of the view that refused.</param>
public sealed record RefusePlacement(PodAsk Ask, IReadOnlyList<NodeUnfit> Unfit, int UnregisteredNodes, long LogPosition);

public static class RefusePlacementDecider
{
    private const int MostExamples = 3;

    /// <summary>One event per change of reasons; none once the pod holds an allocation.</summary>
    public static Verdict<PodEvent> Decide(RefusePlacement command, ClusterLedger cluster)
    {
        var ask = command.Ask;
        if (cluster.LiveByPod.ContainsKey(ask.Uid))
            return Verdict<PodEvent>.Nothing;
        var reasons = Reasons(command);
        if (cluster.Waiting.TryGetValue(ask.Uid, out var before) && before.Refusal.Reasons.Select(Key).SequenceEqual(reasons.Select(Key)))
            return Verdict<PodEvent>.Nothing;
        return new PodEvent.PlacementRefused(ask.Uid, ask.Namespace, ask.Name, Message(command, reasons), reasons, command.LogPosition);
    }

    private static (string, int) Key(RefusalCount r) => (r.Reason, r.Cards);

    private static List<RefusalCount> Reasons(RefusePlacement command)
    {
        var counts = command.Unfit
            .SelectMany(n => n.Counts, (n, c) => (n.Node, c.Reason, c.Cards))
            .GroupBy(c => c.Reason)
            .Select(g => new RefusalCount(g.Key.ToString(), g.Sum(c => c.Cards), [.. g.Select(c => c.Node).Order(StringComparer.Ordinal).Take(MostExamples)]))
            .OrderBy(r => r.Reason, StringComparer.Ordinal)
            .ToList();
        if (command.UnregisteredNodes > 0)
            counts.Add(new(PlaceAllocationDecider.NodeUnregistered, command.UnregisteredNodes, []));
        return counts;
    }

    private static string Message(RefusePlacement command, List<RefusalCount> reasons)
    {
        var cards = command.Unfit.Sum(n => n.Cards);
        var parts = reasons.Select(r => r.Reason == PlaceAllocationDecider.NodeUnregistered
            ? $"{r.Cards} of the nodes offered {(r.Cards == 1 ? "has" : "have")} registered no cards"
            : $"{r.Cards} {(r.Cards == 1 ? "card" : "cards")}: {Enum.Parse<CardRefusal>(r.Reason).Words()}");
        var where = $"of {cards} {(cards == 1 ? "card" : "cards")} on {command.Unfit.Count} {(command.Unfit.Count == 1 ? "node" : "nodes")}";
        return $"No node has what the pod asks: {where}, {string.Join("; ", parts)}.";
    }
}

/// <summary>Forget a waiting pod that is gone.</summary>
public sealed record WithdrawWorkload(string PodUid);

public static class WithdrawWorkloadDecider
{
    public static Verdict<PodEvent> Decide(WithdrawWorkload command, ClusterLedger cluster) =>
        cluster.Waiting.ContainsKey(command.PodUid) ? new PodEvent.WorkloadWithdrawn(command.PodUid) : Verdict<PodEvent>.Nothing;
}
