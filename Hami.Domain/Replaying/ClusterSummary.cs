using Hami.Domain.Ledger;

namespace Hami.Domain.Replaying;

/// <summary>The cluster in numbers; each is the sum over its nodes and cards.</summary>
/// <param name="At">The moment asked for, or now.</param>
/// <param name="Position">Position in the log of the last event that counts.</param>
/// <param name="Nodes">Nodes that have cards.</param>
/// <param name="Devices">Their cards.</param>
/// <param name="HealthyDevices">Cards that no agent reported unhealthy.</param>
/// <param name="CordonedDevices">Cards that an admin took out of placement.</param>
/// <param name="UsedDevices">Cards of which somebody holds a part.</param>
/// <param name="Slots">How many containers may share the cards.</param>
/// <param name="UsedSlots">How many do; one that has two cards counts twice.</param>
/// <param name="MemoryMiB">Device memory in MiB, memory scaling applied.</param>
/// <param name="UsedMemoryMiB">Device memory in MiB held by allocations.</param>
/// <param name="Cores">Percent of compute; 100 is one whole card.</param>
/// <param name="UsedCores">Percent of compute held by allocations; a pod that asked for none holds none.</param>
/// <param name="Pods">Pods that hold a part of a card, of all namespaces.</param>
/// <param name="Containers">Containers that do.</param>
/// <param name="Waiting">Pods that were refused and wait, of all namespaces.</param>
/// <param name="Types">Cards by product name, most cards first.</param>
/// <param name="Vendors">Nodes and cards by vendor, most cards first.</param>
/// <param name="PodsPerNode">How many nodes have how many pods, in buckets of ten up to the last that is not empty; a node without cards counts while pods hold some there.</param>
/// <param name="Namespaces">What namespaces hold that you may see, most memory first; at most 100.</param>
public sealed record ClusterSummary(
    DateTimeOffset At, long Position, int Nodes, int Devices, int HealthyDevices, int CordonedDevices, int UsedDevices, int Slots, int UsedSlots, long MemoryMiB, long UsedMemoryMiB,
    long Cores, long UsedCores, int Pods, int Containers, int Waiting, IReadOnlyList<DeviceTypeSummary> Types, IReadOnlyList<VendorSummary> Vendors,
    IReadOnlyList<NodeBucket> PodsPerNode, IReadOnlyList<NamespaceSummary> Namespaces)
{
    private const int MostNamespaces = 100;

    /// <summary>Nodes with cards that take new pods: that are not cordoned; null for a moment in the past.</summary>
    public int? SchedulableNodes { get; init; }

    /// <summary>Nodes with cards whose kubelet says that it is ready; null for a moment in the past.</summary>
    public int? ReadyNodes { get; init; }

    /// <summary>CPU of the nodes with cards that pods may have, in thousandths of a core; null for a moment in the past.</summary>
    public long? CpuMilli { get; init; }

    /// <summary>Memory of the nodes' own in MiB that pods may have; null for a moment in the past.</summary>
    public long? HostMemoryMiB { get; init; }

    /// <summary>Adds up what was counted.</summary>
    /// <param name="sees">Which namespaces are shown; all of them count.</param>
    public static ClusterSummary Of(ClusterSums sums, DateTimeOffset at, Func<string, bool> sees)
    {
        var nodes = new List<NodeSums>(sums.Nodes.Count);
        var (whole, pods, containers, healthy, cordoned, slots, usedSlots) = (new TypeSums("", ""), 0, 0, 0, 0, 0, 0);
        foreach (var node in sums.Nodes.Values)
        {
            (pods, containers) = (pods + node.Ledger.Allocations.Count, containers + node.Containers);
            if (node.Uses.Count == 0)
                continue;
            nodes.Add(node);
            whole.Add(node.Whole);
            (healthy, cordoned, slots, usedSlots) = (healthy + node.Healthy, cordoned + node.Cordoned, slots + node.Slots, usedSlots + node.UsedSlots);
        }
        var all = whole.Summary();
        return new(
            at, sums.Ledger.Position, nodes.Count, all.Devices, healthy, cordoned, all.UsedDevices, slots, usedSlots, all.MemoryMiB, all.UsedMemoryMiB, all.Cores, all.UsedCores,
            pods, containers, sums.Ledger.Waiting.Count, DeviceTypeSummary.Of(nodes), VendorSummary.Of(nodes), NodeBucket.Of(sums.Nodes.Values.Select(n => n.Ledger.Allocations.Count)),
            [.. sums.Namespaces.Where(n => sees(n.Namespace)).Take(MostNamespaces)]);
    }
}

/// <summary>Cards of one product name.</summary>
/// <param name="Type">Product name as registered.</param>
/// <param name="Vendor">Who makes them.</param>
/// <param name="Devices">How many there are.</param>
/// <param name="UsedDevices">Of how many somebody holds a part.</param>
/// <param name="MemoryMiB">Device memory in MiB, memory scaling applied.</param>
/// <param name="UsedMemoryMiB">Device memory in MiB held by allocations.</param>
/// <param name="Cores">Percent of compute; 100 is one whole card.</param>
/// <param name="UsedCores">Percent of compute held by allocations.</param>
public sealed record DeviceTypeSummary(string Type, string Vendor, int Devices, int UsedDevices, long MemoryMiB, long UsedMemoryMiB, long Cores, long UsedCores)
{
    internal static IReadOnlyList<DeviceTypeSummary> Of(IEnumerable<NodeSums> nodes)
    {
        var types = new Dictionary<(string Type, string Vendor), TypeSums>();
        foreach (var part in nodes.SelectMany(n => n.Types))
        {
            if (!types.TryGetValue((part.Type, part.Vendor), out var sums))
                types[(part.Type, part.Vendor)] = sums = new(part.Type, part.Vendor);
            sums.Add(part);
        }
        return [.. types.Values.Select(t => t.Summary()).OrderByDescending(t => t.Devices).ThenBy(t => t.Type, StringComparer.Ordinal).ThenBy(t => t.Vendor, StringComparer.Ordinal)];
    }
}

/// <summary>What there is of one vendor.</summary>
/// <param name="Vendor">Who makes the cards.</param>
/// <param name="Nodes">Nodes that have cards of it.</param>
/// <param name="Devices">Its cards.</param>
public sealed record VendorSummary(string Vendor, int Nodes, int Devices)
{
    internal static IReadOnlyList<VendorSummary> Of(IEnumerable<NodeSums> nodes)
    {
        var vendors = new Dictionary<string, (int Nodes, int Devices)>(StringComparer.Ordinal);
        foreach (var vendor in nodes.SelectMany(n => n.Types.GroupBy(t => t.Vendor, StringComparer.Ordinal)))
        {
            var (before, devices) = (vendors.GetValueOrDefault(vendor.Key), vendor.Sum(t => t.Devices));
            vendors[vendor.Key] = (before.Nodes + 1, before.Devices + devices);
        }
        return [.. vendors.Select(v => new VendorSummary(v.Key, v.Value.Nodes, v.Value.Devices)).OrderByDescending(v => v.Devices).ThenBy(v => v.Vendor, StringComparer.Ordinal)];
    }
}

/// <summary>Nodes that have about as many pods.</summary>
/// <param name="From">Pods of a node in it: at least so many.</param>
/// <param name="To">At most so many.</param>
/// <param name="Nodes">How many nodes have as many.</param>
public sealed record NodeBucket(int From, int To, int Nodes)
{
    private const int Width = 10;

    internal static IReadOnlyList<NodeBucket> Of(IEnumerable<int> pods)
    {
        var nodes = pods.CountBy(p => p / Width).ToDictionary();
        return [.. Enumerable.Range(0, nodes.Keys.DefaultIfEmpty(-1).Max() + 1).Select(b => new NodeBucket(b * Width, (b * Width) + Width - 1, nodes.GetValueOrDefault(b)))];
    }
}

/// <summary>What one namespace holds, of cards that are gone too.</summary>
/// <param name="Namespace">Its name.</param>
/// <param name="Pods">Its pods that hold a part of a card.</param>
/// <param name="Devices">Cards of which they hold a part.</param>
/// <param name="MemoryMiB">Device memory in MiB, over all cards.</param>
/// <param name="Cores">Percent of one card, summed over all cards.</param>
public sealed record NamespaceSummary(string Namespace, int Pods, int Devices, long MemoryMiB, long Cores)
{
    internal static IEnumerable<NamespaceSummary> Of(IEnumerable<NodeSums> nodes)
    {
        var namespaces = new Dictionary<string, NamespaceSums>(StringComparer.Ordinal);
        foreach (var part in nodes.SelectMany(n => n.Namespaces))
        {
            if (!namespaces.TryGetValue(part.Namespace, out var sums))
                namespaces[part.Namespace] = sums = new(part.Namespace);
            sums.Add(part);
        }
        return namespaces.Values.Select(n => n.Summary()).OrderByDescending(n => n.MemoryMiB).ThenBy(n => n.Namespace, StringComparer.Ordinal);
    }
}
