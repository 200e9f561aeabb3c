using System.Collections.Immutable;
using static Hami.Domain.Ledger.NodeEvent;
using static Hami.Domain.Ledger.PodEvent;

namespace Hami.Domain.Ledger;

/// <summary>Where a pod's live allocation is.</summary>
public sealed record LiveAllocation(Guid Id, string Node);

/// <summary>A pod that found no node.</summary>
/// <param name="At">When it was last refused for other reasons than before.</param>
public sealed record WaitingPod(PlacementRefused Refusal, DateTimeOffset At);

/// <summary>Everything that is true now, folded from the whole log in its order.</summary>
/// <param name="Position">Sequence of the last event folded.</param>
/// <param name="LiveByPod">The one live allocation a pod may have, by pod UID.</param>
/// <param name="Waiting">Latest refusal of each pod that still waits, by pod UID.</param>
/// <param name="EventCount">Number of events folded; positions may have gaps, so it is not the position.</param>
public sealed record ClusterLedger(
    long Position,
    ImmutableDictionary<string, NodeLedger> Nodes,
    ImmutableDictionary<string, LiveAllocation> LiveByPod,
    ImmutableDictionary<string, WaitingPod> Waiting,
    long EventCount)
{
    public static readonly ClusterLedger Empty = new(
        0,
        ImmutableDictionary<string, NodeLedger>.Empty,
        ImmutableDictionary<string, LiveAllocation>.Empty,
        ImmutableDictionary<string, WaitingPod>.Empty,
        0);

    public NodeLedger Node(string name) => Nodes.GetValueOrDefault(name, NodeLedger.Empty);

    /// <summary>The live allocation of a pod, or null.</summary>
    public Allocation? AllocationOf(string podUid) =>
        LiveByPod.TryGetValue(podUid, out var live) ? Node(live.Node).Allocations[live.Id] : null;

    /// <summary>Folds one more event.</summary>
    /// <param name="stream">Name of the event's stream, see <see cref="Streams"/>.</param>
    /// <param name="at">The event's time.</param>
    public static ClusterLedger Evolve(ClusterLedger cluster, string stream, DateTimeOffset at, object happened)
    {
        cluster = cluster with { EventCount = cluster.EventCount + 1 };
        return happened switch
        {
            NodeEvent e => cluster.OnNode(Streams.NodeOf(stream) ?? throw new ArgumentException($"{stream} is no stream of a node.", nameof(stream)), e),
            PlacementRefused e => cluster with { Waiting = cluster.Waiting.SetItem(e.PodUid, new(e, at)) },
            WorkloadWithdrawn e => cluster with { Waiting = cluster.Waiting.Remove(e.PodUid) },
            _ => throw new ArgumentOutOfRangeException(nameof(happened), happened, "This ledger does not know the event."),
        };
    }

    private ClusterLedger OnNode(string name, NodeEvent happened)
    {
        var cluster = this with { Nodes = Nodes.SetItem(name, NodeLedger.Evolve(Node(name), happened)) };
        return happened switch
        {
            AllocationPlaced e => cluster with
            {
                LiveByPod = LiveByPod.Add(e.PodUid, new(e.AllocationId, name)),
                Waiting = Waiting.Remove(e.PodUid),
            },
            AllocationReleased e => cluster with { LiveByPod = LiveByPod.Remove(e.PodUid) },
            _ => cluster,
        };
    }
}
