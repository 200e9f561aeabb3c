using System.Collections.Immutable;
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
public sealed record Allocation(
    Guid Id, string PodUid, string Namespace, string Pod, int Containers, IReadOnlyList<Share> Shares, AllocationPhase Phase);

/// <summary>The cards of one node and what is allocated of them.</summary>
public sealed record NodeLedger(IReadOnlyList<Card> Cards, ImmutableDictionary<Guid, Allocation> Allocations)
{
    public static readonly NodeLedger Empty = new([], ImmutableDictionary<Guid, Allocation>.Empty);

    public static NodeLedger Evolve(NodeLedger node, NodeEvent happened) => happened switch
    {
        DevicesRegistered e => node with { Cards = e.Cards },
        AllocationPlaced e => node with
        {
            Allocations = node.Allocations.Add(
                e.AllocationId, new(e.AllocationId, e.PodUid, e.Namespace, e.Pod, e.Containers, e.Shares, AllocationPhase.Placed)),
        },
        AllocationBound e => node.InPhase(e.AllocationId, AllocationPhase.Bound),
        AllocationAttached e => node.InPhase(e.AllocationId, AllocationPhase.Attached),
        AllocationReleased e => node with { Allocations = node.Allocations.Remove(e.AllocationId) },
        _ => throw new ArgumentOutOfRangeException(nameof(happened), happened, "This ledger does not know the event."),
    };

    private NodeLedger InPhase(Guid id, AllocationPhase phase) =>
        this with { Allocations = Allocations.SetItem(id, Allocations[id] with { Phase = phase }) };
}
