using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>Keep in the log why a pod found no node.</summary>
/// <param name="UnregisteredNodes">Offered nodes that have registered no cards.</param>
/// <param name="LogPosition">Position of the view that refused.</param>
public sealed record RefusePlacement(PodAsk Ask, RefusedNodes Refused, int UnregisteredNodes, long LogPosition);

public static class RefusePlacementDecider
{
    /// <summary>One event per change of reasons; none once the pod holds an allocation.</summary>
    public static Verdict<PodEvent> Decide(RefusePlacement command, ClusterLedger cluster)
    {
        var ask = command.Ask;
        if (cluster.LiveByPod.ContainsKey(ask.Uid))
            return Verdict<PodEvent>.Nothing;
        var reasons = Reasons(command);
        if (cluster.Waiting.TryGetValue(ask.Uid, out var before) && before.Refusal.Reasons.Select(Key).SequenceEqual(reasons.Select(Key)))
            return Verdict<PodEvent>.Nothing;
        return new PodEvent.PlacementRefused(ask.Uid, ask.Namespace, ask.Name, Message(command, reasons), reasons, command.LogPosition, ask);
    }

    private static (string, int) Key(RefusalCount r) => (r.Reason, r.Cards);

    private static IReadOnlyList<RefusalCount> Reasons(RefusePlacement command) => command.UnregisteredNodes == 0
        ? command.Refused.Counts
        : [.. command.Refused.Counts, new(PlaceAllocationDecider.NodeUnregistered, command.UnregisteredNodes, [])];

    private static string Message(RefusePlacement command, IReadOnlyList<RefusalCount> reasons)
    {
        var (cards, nodes) = (command.Refused.Cards, command.Refused.Nodes.Length);
        var parts = reasons.Select(r => r.Reason == PlaceAllocationDecider.NodeUnregistered
            ? $"{r.Cards} of the nodes offered {(r.Cards == 1 ? "has" : "have")} registered no cards"
            : $"{r.Cards} {(r.Cards == 1 ? "card" : "cards")}: {Enum.Parse<CardRefusal>(r.Reason).Words()}");
        var where = $"of {cards} {(cards == 1 ? "card" : "cards")} on {nodes} {(nodes == 1 ? "node" : "nodes")}";
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
