using System.Collections.Immutable;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Fragmentation;
using static Hami.Domain.Ledger.NodeEvent;
using static Hami.Domain.Ledger.PodEvent;
using static Hami.Domain.Ledger.PolicyEvent;
using static Hami.Domain.Ledger.QuotaEvent;

namespace Hami.Domain.Ledger;

/// <summary>Where a pod's live allocation is.</summary>
public sealed record LiveAllocation(Guid Id, string Node);

/// <summary>A pod that found no node.</summary>
/// <param name="At">When it was last refused for other reasons than before.</param>
public sealed record WaitingPod(PlacementRefused Refusal, DateTimeOffset At);

/// <summary>The policy that pods without annotations of their own are placed by.</summary>
/// <param name="Version">How often it was changed.</param>
public sealed record PolicyInForce(string NodePolicy, string GpuPolicy, int Version);

/// <summary>The typical workload that leftovers are measured by.</summary>
/// <param name="Asks">Placed pods it was learned from; 0 when an admin gave it.</param>
/// <param name="Version">How often it was learned.</param>
public sealed record WorkloadInForce(WorkloadMix Mix, IReadOnlyDictionary<string, int> CardsByModel, long Asks, int Version)
{
    /// <summary>The policy of this workload, with what it has found out about nodes.</summary>
    internal FragmentationPolicy Policy { get; } = new(new(Mix, CardsByModel));
}

/// <summary>Everything that is true now, folded from the whole log in its order.</summary>
/// <param name="Position">Sequence of the last event folded.</param>
/// <param name="Nodes">Nodes that have cards, or pods that hold some.</param>
/// <param name="Epochs">Number of the stream that a node's events go to, where it is not the first; remembered of nodes that left, too.</param>
/// <param name="LiveByPod">The one live allocation a pod may have, by pod UID.</param>
/// <param name="Waiting">Latest refusal of each pod that still waits, by pod UID.</param>
/// <param name="Quotas">ResourceQuotas that limit accelerators, by namespace.</param>
/// <param name="Used">What the live allocations of each namespace hold; a namespace that holds nothing is missing.</param>
/// <param name="Policy">Null before the first process has said it.</param>
/// <param name="Workload">Null while the assumed one is in force.</param>
/// <param name="Learned">What the placed pods so far tell about the typical workload.</param>
/// <param name="EventCount">Number of events folded; positions may have gaps, so it is not the position.</param>
public sealed record ClusterLedger(
    long Position,
    ImmutableDictionary<string, NodeLedger> Nodes,
    ImmutableDictionary<string, int> Epochs,
    ImmutableDictionary<string, LiveAllocation> LiveByPod,
    ImmutableDictionary<string, WaitingPod> Waiting,
    ImmutableDictionary<string, IReadOnlyList<NamespaceQuota>> Quotas,
    ImmutableDictionary<string, QuotaUse> Used,
    PolicyInForce? Policy,
    WorkloadInForce? Workload,
    LearnedWorkload Learned,
    long EventCount)
{
    public static readonly ClusterLedger Empty = new(
        0,
        ImmutableDictionary<string, NodeLedger>.Empty,
        ImmutableDictionary<string, int>.Empty,
        ImmutableDictionary<string, LiveAllocation>.Empty,
        ImmutableDictionary<string, WaitingPod>.Empty,
        ImmutableDictionary<string, IReadOnlyList<NamespaceQuota>>.Empty,
        ImmutableDictionary<string, QuotaUse>.Empty,
        null,
        null,
        LearnedWorkload.Empty,
        0);

    public NodeLedger Node(string name) => Nodes.GetValueOrDefault(name, NodeLedger.Empty);

    /// <summary>The stream that events of a stream's subject go to now: of a node, that of its epoch.</summary>
    public string Current(string stream) =>
        Streams.NodeOf(stream) is { } node ? Streams.Node(node, Epochs.GetValueOrDefault(node, Streams.FirstEpoch)) : stream;

    /// <summary>The live allocation of a pod, or null.</summary>
    public Allocation? AllocationOf(string podUid) =>
        LiveByPod.TryGetValue(podUid, out var live) ? Node(live.Node).Allocations[live.Id] : null;

    /// <summary>What a namespace may still take.</summary>
    public QuotaRoom RoomOf(string @namespace) => Quotas.TryGetValue(@namespace, out var quotas)
        ? QuotaRoom.Of(quotas, Used.GetValueOrDefault(@namespace, QuotaUse.None))
        : QuotaRoom.Unlimited;

    /// <summary>What a placement in that namespace depends on beside the pod and the node.</summary>
    public Terms TermsFor(string @namespace) => new(RoomOf(@namespace), Workload?.Policy ?? Terms.Plain.Typical);

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
            PreemptionPlanned => cluster,
            QuotaChanged e => cluster with
            {
                Quotas = e.Quotas.Count == 0 ? cluster.Quotas.Remove(e.Namespace) : cluster.Quotas.SetItem(e.Namespace, e.Quotas),
            },
            PolicyChanged e => cluster with { Policy = new(e.NodePolicy, e.GpuPolicy, (cluster.Policy?.Version ?? 0) + 1) },
            WorkloadMixLearned e => cluster with { Workload = new(e.Mix, e.CardsByModel, e.Asks, (cluster.Workload?.Version ?? 0) + 1) },
            _ => throw new ArgumentOutOfRangeException(nameof(happened), happened, "This ledger does not know the event."),
        };
    }

    private ClusterLedger OnNode(string name, NodeEvent happened)
    {
        var before = Node(name);
        var after = NodeLedger.Evolve(before, happened);
        // A node that left, with the last of its pods, is not remembered: names of nodes come and go for ever. Should it return, its events
        // go on in the same stream, which the store numbers.
        var cluster = this with { Nodes = after.IsEmpty ? Nodes.Remove(name) : Nodes.SetItem(name, after) };
        return happened switch
        {
            AllocationPlaced e => cluster.Holding(name, e.AllocationId, e.PodUid) with { Learned = Learn(e.Because.Ask) },
            AllocationAdopted e => cluster.Holding(name, e.AllocationId, e.PodUid),
            NodeCarriedForward e => cluster with { Epochs = Epochs.SetItem(name, e.Epoch) },
            AllocationShrunk e => cluster.Using(before.Allocations[e.AllocationId], cluster.Node(name).Allocations[e.AllocationId]),
            AllocationReleased e => cluster.Using(before.Allocations[e.AllocationId], null) with { LiveByPod = LiveByPod.Remove(e.PodUid) },
            _ => cluster,
        };
    }

    private ClusterLedger Holding(string node, Guid id, string podUid) => Using(null, Node(node).Allocations[id]) with
    {
        LiveByPod = LiveByPod.Add(podUid, new(id, node)),
        Waiting = Waiting.Remove(podUid),
    };

    private LearnedWorkload Learn(PodAsk? ask) =>
        ask is null ? Learned : WorkloadKinds.Of(ask).Aggregate(Learned, (learned, kind) => learned.With(kind));

    private ClusterLedger Using(Allocation? before, Allocation? after)
    {
        var @namespace = (after ?? before)!.Namespace;
        var used = Used.GetValueOrDefault(@namespace, QuotaUse.None) - (before?.Use ?? QuotaUse.None) + (after?.Use ?? QuotaUse.None);
        return this with { Used = used == QuotaUse.None ? Used.Remove(@namespace) : Used.SetItem(@namespace, used) };
    }
}
