using System.Collections.Immutable;
using Hami.Domain.Placing.Fragmentation;

namespace Hami.Domain.Ledger;

/// <summary>A node in a snapshot.</summary>
/// <param name="Events">How many events its stream has.</param>
public sealed record NodeSnapshot(
    string Name, IReadOnlyList<Card> Cards, IReadOnlyList<CardLink> Links, IReadOnlyList<string> Cordoned, IReadOnlyList<Allocation> Allocations, int Events)
{
    public static NodeSnapshot Of(string name, NodeLedger node) => new(
        name, node.Cards, node.Links, [.. node.Cordoned.Order(StringComparer.Ordinal)], [.. node.Allocations.Values.OrderBy(a => a.Id)], node.Events);

    public NodeLedger ToLedger() => new(Cards, Links, [.. Cordoned], Allocations.ToImmutableDictionary(a => a.Id), Events);
}

/// <summary>The number of a node's stream in a snapshot.</summary>
public sealed record NodeEpoch(string Node, int Epoch);

/// <summary>The quotas of a namespace in a snapshot.</summary>
public sealed record NamespaceSnapshot(string Namespace, IReadOnlyList<NamespaceQuota> Quotas);

/// <summary>How often a kind of pod was placed.</summary>
public sealed record CountedKind(WorkloadKind Kind, int Count);

/// <summary>What was learned from asks, in a snapshot.</summary>
public sealed record LearnedSnapshot(long Asks, IReadOnlyList<CountedKind> Kinds);

/// <summary>
/// A ledger as plain lists, in an order that nothing but its content decides: two ledgers are equal when their snapshots are.
/// What can be summed up from the rest is left out.
/// </summary>
/// <remarks>Checkpoints store it: whoever changes its shape, or what the fold of an event means, counts <see cref="Format"/> up.</remarks>
public sealed record LedgerSnapshot(
    long Position,
    long EventCount,
    IReadOnlyList<NodeSnapshot> Nodes,
    IReadOnlyList<NodeEpoch> Epochs,
    IReadOnlyList<WaitingPod> Waiting,
    IReadOnlyList<NamespaceSnapshot> Quotas,
    PolicyInForce? Policy,
    WorkloadInForce? Workload,
    LearnedSnapshot Learned)
{
    /// <summary>Version of this shape; a checkpoint of another is not read.</summary>
    /// <remarks>
    /// A log whose begin was archived is folded from the checkpoint at its horizon and from nothing else: who raises this must go on reading that of
    /// the version before, or have operators put the log back before they upgrade (<c>hami-api archive --restore</c>).
    /// </remarks>
    public const int Format = 2;

    public static LedgerSnapshot Of(ClusterLedger ledger)
    {
        ArgumentNullException.ThrowIfNull(ledger);
        return new(
            ledger.Position,
            ledger.EventCount,
            [.. ledger.Nodes.OrderBy(n => n.Key, StringComparer.Ordinal).Select(n => NodeSnapshot.Of(n.Key, n.Value))],
            [.. ledger.Epochs.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => new NodeEpoch(e.Key, e.Value))],
            [.. ledger.Waiting.OrderBy(w => w.Key, StringComparer.Ordinal).Select(w => w.Value)],
            [.. ledger.Quotas.OrderBy(q => q.Key, StringComparer.Ordinal).Select(q => new NamespaceSnapshot(q.Key, q.Value))],
            ledger.Policy,
            ledger.Workload is { } workload
                ? workload with { CardsByModel = new SortedDictionary<string, int>(workload.CardsByModel.ToDictionary(), StringComparer.Ordinal) }
                : null,
            ledger.Learned.ToSnapshot());
    }

    public ClusterLedger ToLedger()
    {
        var held = Nodes.SelectMany(n => n.Allocations.Select(a => (Node: n.Name, Allocation: a))).ToList();
        return new(
            Position,
            Nodes.ToImmutableDictionary(n => n.Name, n => n.ToLedger()),
            Epochs.ToImmutableDictionary(e => e.Node, e => e.Epoch),
            held.ToImmutableDictionary(h => h.Allocation.PodUid, h => new LiveAllocation(h.Allocation.Id, h.Node)),
            Waiting.ToImmutableDictionary(w => w.Refusal.PodUid),
            Quotas.ToImmutableDictionary(q => q.Namespace, q => q.Quotas),
            held.GroupBy(h => h.Allocation.Namespace, StringComparer.Ordinal)
                .Select(g => KeyValuePair.Create(g.Key, g.Aggregate(QuotaUse.None, (sum, h) => sum + h.Allocation.Use)))
                .Where(u => u.Value != QuotaUse.None)
                .ToImmutableDictionary(),
            Policy,
            Workload,
            LearnedWorkload.Of(Learned),
            EventCount);
    }
}
