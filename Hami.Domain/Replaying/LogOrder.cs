using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using static Hami.Domain.Ledger.NodeEvent;

namespace Hami.Domain.Replaying;

/// <summary>What may follow what.</summary>
internal static class LogOrder
{
    /// <summary>Why the event cannot happen in that state; null when it can.</summary>
    public static string? Fault(Recorded e, ClusterLedger before)
    {
        var node = before.Node(Streams.NodeOf(e.Stream) ?? "");
        return e.Event switch
        {
            AllocationPlaced p => Twice(p.PodUid, "placed", before),
            AllocationAdopted a => Twice(a.PodUid, "adopted", before),
            AllocationBound b => OfHeld(b.AllocationId, node, held => Early(held, AllocationPhase.Placed, "bound")),
            AllocationAttached a => OfHeld(a.AllocationId, node, held => Early(held, AllocationPhase.Bound, "attached")),
            AllocationShrunk s => OfHeld(s.AllocationId, node, held => Anothers(held, s.PodUid) ?? (held.InitsEnded ? "it shrinks what had shrunk before" : null)),
            NodeCarriedForward c => c.Epoch != before.Epochs.GetValueOrDefault(c.Node, Streams.FirstEpoch) + 1 ? $"it begins epoch {c.Epoch}, which is not the next"
                : IsSame(c.State, NodeSnapshot.Of(c.Node, node)) ? null : "the state it carries forward is not what the log folds to",
            AllocationReleased r => OfHeld(r.AllocationId, node, held => Anothers(held, r.PodUid)),
            _ => null,
        };
    }

    /// <summary>What a card holds beyond what it has; null when nothing.</summary>
    public static string? Exceeded(Card card, CardUse use) =>
        use.MemoryMiB > card.MemoryMiB ? $"holds {use.MemoryMiB} MiB of the {card.MemoryMiB} that it has"
        : use.Cores > card.Cores ? $"holds {use.Cores} % of compute of the {card.Cores} % that it has"
        : use.Slots > card.Slots ? $"is shared by {use.Slots} containers; it has {card.Slots} slots"
        : null;

    private static bool IsSame(NodeSnapshot one, NodeSnapshot other) =>
        (one.Name, one.Events, one.Allocations.Count) == (other.Name, other.Events, other.Allocations.Count)
        && one.Cards.SequenceEqual(other.Cards) && one.Links.SequenceEqual(other.Links) && one.Cordoned.SequenceEqual(other.Cordoned)
        && one.Allocations.Zip(other.Allocations).All(a => a.First with { Shares = a.Second.Shares } == a.Second && a.First.Shares.SequenceEqual(a.Second.Shares));

    private static string? Twice(string podUid, string what, ClusterLedger before) =>
        before.LiveByPod.TryGetValue(podUid, out var live) ? $"pod {podUid} is {what} though it holds allocation {live.Id} on node {live.Node}" : null;

    private static string? OfHeld(Guid id, NodeLedger node, Func<Allocation, string?> fault) =>
        node.Allocations.TryGetValue(id, out var held) ? fault(held) : $"nobody holds allocation {id} on that node";

    private static string? Early(Allocation held, AllocationPhase needed, string what) =>
        held.Phase == needed ? null : $"allocation {held.Id} is {what} when it is {(held.Phase < needed ? "only " : "already ")}{held.Phase.ToString().ToLowerInvariant()}";

    private static string? Anothers(Allocation held, string podUid) =>
        held.PodUid == podUid ? null : $"allocation {held.Id} is pod {held.PodUid}'s, not {podUid}'s";
}
