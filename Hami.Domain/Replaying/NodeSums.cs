using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Domain.Replaying;

/// <summary>A node in numbers.</summary>
/// <param name="Ledger">What was counted.</param>
/// <param name="Uses">What is taken of each card, in the order of the node's cards.</param>
/// <param name="Healthy">Cards that are not reported unhealthy.</param>
/// <param name="Cordoned">Cards that take no new pods.</param>
/// <param name="Used">Cards of which somebody holds a part.</param>
/// <param name="MemoryMiB">Device memory in MiB, memory scaling applied.</param>
/// <param name="Cores">Percent of compute; 100 is one whole card.</param>
/// <param name="Containers">Containers that hold a part of a card.</param>
/// <param name="Models">Product names of its cards, each once, by name.</param>
/// <param name="Vendors">Vendors of its cards, each once, by name.</param>
/// <param name="Namespaces">What each namespace holds on it.</param>
public sealed record NodeSums(
    NodeLedger Ledger, IReadOnlyList<CardUse> Uses, int Healthy, int Cordoned, int Used, int Slots, int UsedSlots, long MemoryMiB, long UsedMemoryMiB, long Cores, long UsedCores,
    int Containers, IReadOnlyList<string> Models, IReadOnlyList<string> Vendors, IReadOnlyList<NamespaceSummary> Namespaces)
{
    /// <summary>Counts a node once.</summary>
    public static NodeSums Of(NodeLedger ledger)
    {
        CardUse[] uses = [.. NodeUse.Of("", ledger).Uses];
        var sum = new CardUse();
        foreach (var use in uses)
            sum += use;
        return new(
            ledger, uses, ledger.Cards.Count(c => c.Healthy), ledger.Cards.Count(c => ledger.Cordoned.Contains(c.Uuid)), uses.Count(u => u.Slots > 0),
            ledger.Cards.Sum(c => c.Slots), sum.Slots, ledger.Cards.Sum(c => c.MemoryMiB), sum.MemoryMiB, ledger.Cards.Sum(c => (long)c.Cores), sum.Cores,
            ledger.Allocations.Values.Sum(a => a.Held.Select(s => s.ContainerIndex).Distinct().Count()), Distinct(c => c.Model), Distinct(c => c.Vendor),
            [.. ledger.Allocations.Values.GroupBy(a => a.Namespace, StringComparer.Ordinal).Select(NamespaceSummary.OfOneNode)]);

        IReadOnlyList<string> Distinct(Func<Card, string> of) => [.. ledger.Cards.Select(of).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
    }
}

/// <summary>All nodes in numbers, so that whoever asks again counts only what changed since.</summary>
/// <param name="Ledger">What was counted.</param>
/// <param name="Nodes">By name.</param>
public sealed record ClusterSums(ClusterLedger Ledger, IReadOnlyDictionary<string, NodeSums> Nodes)
{
    /// <summary>Nothing.</summary>
    public static readonly ClusterSums Empty = new(ClusterLedger.Empty, new Dictionary<string, NodeSums>(StringComparer.Ordinal));

    /// <summary>Counts a cluster; of nodes that are the same as in this one the numbers are taken over.</summary>
    public ClusterSums Of(ClusterLedger ledger)
    {
        if (ReferenceEquals(ledger, Ledger))
            return this;
        var nodes = new Dictionary<string, NodeSums>(ledger.Nodes.Count, StringComparer.Ordinal);
        foreach (var (name, node) in ledger.Nodes)
            nodes[name] = Nodes.TryGetValue(name, out var known) && ReferenceEquals(known.Ledger, node) ? known : NodeSums.Of(node);
        return new(ledger, nodes);
    }
}
