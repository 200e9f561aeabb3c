using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Domain.Replaying;

/// <summary>A node in numbers.</summary>
/// <param name="Ledger">What was counted.</param>
/// <param name="Uses">What is taken of each card, in the order of the node's cards.</param>
/// <param name="Healthy">Cards that are not reported unhealthy.</param>
/// <param name="Cordoned">Cards that take no new pods.</param>
/// <param name="Containers">Containers that hold a part of a card.</param>
/// <param name="Slots">How many containers may share its cards.</param>
/// <param name="UsedSlots">How many do; one that has two cards counts twice.</param>
/// <param name="Whole">All its cards together.</param>
/// <param name="Types">Its cards by product name, by name.</param>
/// <param name="Namespaces">What each namespace holds on it.</param>
public sealed record NodeSums(
    NodeLedger Ledger, IReadOnlyList<CardUse> Uses, int Healthy, int Cordoned, int Containers, int Slots, int UsedSlots, DeviceTypeSummary Whole,
    IReadOnlyList<DeviceTypeSummary> Types, IReadOnlyList<NamespaceSummary> Namespaces)
{
    /// <summary>Product names of its cards, each once, by name.</summary>
    public IReadOnlyList<string> Models { get; } = Types is [var one] ? [one.Type] : [.. Types.Select(t => t.Type).Distinct(StringComparer.Ordinal)];

    /// <summary>Counts a node, in one pass over its cards and one over what is held of them.</summary>
    public static NodeSums Of(NodeLedger ledger)
    {
        Card[] cards = [.. ledger.Cards];
        var uses = new CardUse[cards.Length];
        var namespaces = new List<NamespaceSums>();
        var containers = 0;
        foreach (var allocation in ledger.Allocations.Values)
        {
            var held = allocation.Held;
            NodeUse.Add(cards, uses, held);
            containers += ContainersOf(held);
            var its = namespaces.Find(n => n.Namespace == allocation.Namespace);
            if (its is null)
                namespaces.Add(its = new(allocation.Namespace));
            its.Add(held);
        }
        var (healthy, cordoned, slots, usedSlots) = (0, 0, 0, 0);
        var (whole, types) = (new TypeSums("", ""), new List<TypeSums>());
        for (var i = 0; i < cards.Length; i++)
        {
            var (card, use) = (cards[i], uses[i]);
            healthy += card.Healthy ? 1 : 0;
            cordoned += ledger.Cordoned.Contains(card.Uuid) ? 1 : 0;
            slots += card.Slots;
            usedSlots += use.Slots;
            var its = types.Find(t => t.Type == card.Model && t.Vendor == card.Vendor);
            if (its is null)
                types.Add(its = new(card.Model, card.Vendor));
            its.Add(card, use);
            whole.Add(card, use);
        }
        return new(
            ledger, uses, healthy, cordoned, containers, slots, usedSlots, whole.Summary(),
            [.. types.Select(t => t.Summary()).OrderBy(t => t.Type, StringComparer.Ordinal)], [.. namespaces.Select(n => n.Summary())]);
    }

    private static int ContainersOf(IReadOnlyList<Share> held)
    {
        var containers = 0;
        for (var i = 0; i < held.Count; i++)
        {
            var seen = false;
            for (var j = 0; j < i && !seen; j++)
                seen = held[j].ContainerIndex == held[i].ContainerIndex;
            containers += seen ? 0 : 1;
        }
        return containers;
    }
}

/// <summary>All nodes in numbers, so that whoever asks again counts only what changed since.</summary>
/// <param name="Ledger">What was counted.</param>
/// <param name="Nodes">By name.</param>
public sealed record ClusterSums(ClusterLedger Ledger, IReadOnlyDictionary<string, NodeSums> Nodes)
{
    /// <summary>Nothing.</summary>
    public static readonly ClusterSums Empty = new(ClusterLedger.Empty, new Dictionary<string, NodeSums>(StringComparer.Ordinal));

    /// <summary>What namespaces hold, most memory first.</summary>
    public IEnumerable<NamespaceSummary> Namespaces => NamespaceSummary.Of(Nodes.Values);

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

/// <summary>Adds up cards of one product name.</summary>
internal sealed class TypeSums(string type, string vendor)
{
    private int _devices, _used;
    private long _memoryMiB, _usedMemoryMiB, _cores, _usedCores;

    public string Type => type;

    public string Vendor => vendor;

    public void Add(Card card, CardUse use)
    {
        (_devices, _used) = (_devices + 1, _used + (use.Slots > 0 ? 1 : 0));
        (_memoryMiB, _usedMemoryMiB, _cores, _usedCores) = (_memoryMiB + card.MemoryMiB, _usedMemoryMiB + use.MemoryMiB, _cores + card.Cores, _usedCores + use.Cores);
    }

    public void Add(DeviceTypeSummary part)
    {
        (_devices, _used) = (_devices + part.Devices, _used + part.UsedDevices);
        (_memoryMiB, _usedMemoryMiB, _cores, _usedCores) = (_memoryMiB + part.MemoryMiB, _usedMemoryMiB + part.UsedMemoryMiB, _cores + part.Cores, _usedCores + part.UsedCores);
    }

    public DeviceTypeSummary Summary() => new(type, vendor, _devices, _used, _memoryMiB, _usedMemoryMiB, _cores, _usedCores);
}

/// <summary>Adds up what one namespace holds.</summary>
internal sealed class NamespaceSums(string @namespace)
{
    private readonly List<string> _seen = [];
    private int _pods, _devices;
    private long _memoryMiB, _cores;

    public string Namespace => @namespace;

    /// <summary>What one pod holds; all that is added so is on one node.</summary>
    public void Add(IReadOnlyList<Share> held)
    {
        var use = CardUse.Sum(held);
        (_pods, _memoryMiB, _cores) = (_pods + 1, _memoryMiB + use.MemoryMiB, _cores + use.Cores);
        for (var i = 0; i < held.Count; i++)
        {
            if (_seen.Contains(held[i].DeviceUuid))
                continue;
            _seen.Add(held[i].DeviceUuid);
            _devices++;
        }
    }

    /// <summary>What it holds on another node, whose cards are others.</summary>
    public void Add(NamespaceSummary part) =>
        (_pods, _devices, _memoryMiB, _cores) = (_pods + part.Pods, _devices + part.Devices, _memoryMiB + part.MemoryMiB, _cores + part.Cores);

    public NamespaceSummary Summary() => new(@namespace, _pods, _devices, _memoryMiB, _cores);
}
