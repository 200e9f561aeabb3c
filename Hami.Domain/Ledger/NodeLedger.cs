using System.Collections.Immutable;
using Hami.Domain.Placing;
using static Hami.Domain.Ledger.NodeEvent;

namespace Hami.Domain.Ledger;

/// <summary>How far an allocation has come.</summary>
public enum AllocationPhase
{
    Placed,
    Bound,
    Attached,
}

/// <summary>All that one pod holds on a node.</summary>
/// <param name="Shares">As they were placed; see <paramref name="InitsEnded"/>.</param>
/// <param name="InitsEnded">True once the init containers have succeeded: the shares that end before the apps hold nothing any more.</param>
/// <param name="IsAdopted">True when another scheduler placed it.</param>
public sealed record Allocation(
    Guid Id, string PodUid, string Namespace, string Pod, int Containers, IReadOnlyList<Share> Shares, AllocationPhase Phase,
    bool InitsEnded = false, bool IsAdopted = false)
{
    /// <summary>The shares that hold something.</summary>
    public IReadOnlyList<Share> Held => InitsEnded ? [.. Shares.Where(s => !s.EndsBeforeApps)] : Shares;

    /// <summary>What it holds, summed over all cards.</summary>
    public QuotaUse Use => CardUse.Sum(Held);
}

/// <summary>The cards of one node and what is allocated of them.</summary>
/// <param name="Cordoned">UUIDs of cards that take no new pods.</param>
/// <param name="Events">How many events of its stream are folded; the stream of a new epoch begins again.</param>
public sealed record NodeLedger(
    IReadOnlyList<Card> Cards, IReadOnlyList<CardLink> Links, ImmutableHashSet<string> Cordoned, ImmutableDictionary<Guid, Allocation> Allocations,
    int Events = 0)
{
    public static readonly NodeLedger Empty = new([], [], [], ImmutableDictionary<Guid, Allocation>.Empty);

    public static NodeLedger Evolve(NodeLedger node, NodeEvent happened) => Folded(node, happened) with
    {
        Events = happened is NodeCarriedForward ? 1 : node.Events + 1,
    };

    private static NodeLedger Folded(NodeLedger node, NodeEvent happened) => happened switch
    {
        DevicesRegistered e => node with { Cards = e.Cards, Links = e.Links ?? [] },
        NodeRemoved => node with { Cards = [], Links = [], Cordoned = [] },
        DeviceCordoned e => node with { Cordoned = node.Cordoned.Add(e.DeviceUuid) },
        DeviceUncordoned e => node with { Cordoned = node.Cordoned.Remove(e.DeviceUuid) },
        AllocationPlaced e => node.Holding(
            new(e.AllocationId, e.PodUid, e.Namespace, e.Pod, e.Containers, e.Shares, AllocationPhase.Placed)),
        AllocationAdopted e => node.Holding(
            new(e.AllocationId, e.PodUid, e.Namespace, e.Pod, e.Containers, e.Shares,
                e.IsAttached ? AllocationPhase.Attached : AllocationPhase.Bound, IsAdopted: true)),
        AllocationBound e => node.Holding(node.Allocations[e.AllocationId] with { Phase = AllocationPhase.Bound }),
        AllocationAttached e => node.Holding(node.Allocations[e.AllocationId] with { Phase = AllocationPhase.Attached }),
        AllocationShrunk e => node.Holding(node.Allocations[e.AllocationId] with { InitsEnded = true }),
        AllocationReleased e => node with { Allocations = node.Allocations.Remove(e.AllocationId) },
        NodeCarriedForward e => e.State.ToLedger(),
        _ => throw new ArgumentOutOfRangeException(nameof(happened), happened, "This ledger does not know the event."),
    };

    /// <summary>True when there is nothing to know about the node.</summary>
    public bool IsEmpty => Cards.Count == 0 && Allocations.IsEmpty && Cordoned.IsEmpty && Links.Count == 0;

    private NodeLedger Holding(Allocation allocation) => this with { Allocations = Allocations.SetItem(allocation.Id, allocation) };
}
