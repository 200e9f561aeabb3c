using System.Globalization;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Api.Measuring;

/// <summary>HAMi's metric families about nodes, cards and pods, from the ledger as it is at the scrape.</summary>
internal static class ClusterFamilies
{
    private const double MiB = 1 << 20;
    private const string Zone = "zone=\"vGPU\"";

    public static void Write(Exposition to, ClusterLedger ledger, bool legacy)
    {
        var cards = Cards(ledger);
        WriteCards(to, cards, Names.Now);
        if (legacy)
            WriteCards(to, cards, Names.Legacy);
        var containers = Containers(ledger);
        WriteContainers(to, containers, "hami_vgpu_memory_allocated_bytes", "hami_vgpu_core_allocated_ratio", "namespace", "node", "pod", "container_index", "device_uuid");
        if (legacy)
            WriteContainers(to, containers, "vGPUMemoryAllocated", "vGPUCoreAllocated", "podnamespace", "nodename", "podname", "containeridx", "deviceuuid");
    }

    private static List<CardOnNode> Cards(ClusterLedger ledger)
    {
        var cards = new List<CardOnNode>();
        foreach (var (name, node) in ledger.Nodes.OrderBy(n => n.Key, StringComparer.Ordinal))
        {
            var use = NodeUse.Of(name, node);
            for (var i = 0; i < use.Cards.Length; i++)
                cards.Add(new(name, use.Cards[i], use.Uses[i], Text(use.Cards[i].Index)));
        }
        return cards;
    }

    private static void WriteCards(Exposition to, List<CardOnNode> cards, Names names)
    {
        string[] four = [names.Node, names.Uuid, names.Index, names.Type];

        to.Gauges(names.MemoryLimit, "Memory of the card in bytes, memory scaling applied.", Zone, four);
        foreach (var c in cards)
            to.Sample(c.Card.MemoryMiB * MiB, c.Node, c.Card.Uuid, c.Index, c.Card.Model);

        to.Gauges(names.CoreLimit, "Compute of the card in percent, core scaling applied.", Zone, four);
        foreach (var c in cards)
            to.Sample(c.Card.Cores, c.Node, c.Card.Uuid, c.Index, c.Card.Model);

        to.Gauges(names.MemoryAllocated, "Memory allocated of the card in bytes.", Zone, names.Node, names.Uuid, names.Index, names.Cores, names.Type);
        foreach (var c in cards)
            to.Sample(c.Use.MemoryMiB * MiB, c.Node, c.Card.Uuid, c.Index, Text(c.Card.Cores), c.Card.Model);

        to.Gauges(names.Shared, "Containers that share the card.", Zone, four);
        foreach (var c in cards)
            to.Sample(c.Use.Slots, c.Node, c.Card.Uuid, c.Index, c.Card.Model);

        to.Gauges(names.CoreAllocated, "Compute allocated of the card in percent.", Zone, four);
        foreach (var c in cards)
            to.Sample(c.Use.Cores, c.Node, c.Card.Uuid, c.Index, c.Card.Model);

        to.Gauges(names.Overview, "Memory allocated of the card in bytes, with the card's size.", Zone, names.Node, names.Uuid, names.Index, names.Cores, names.MemoryMiB, names.Type);
        foreach (var c in cards)
            to.Sample(c.Use.MemoryMiB * MiB, c.Node, c.Card.Uuid, c.Index, Text(c.Card.Cores), Text(c.Card.MemoryMiB), c.Card.Model);

        to.Gauges(names.MemoryRatio, "Part of the card's memory that is allocated, 0 to 1.", Zone, names.RatioHasType ? four : [names.Node, names.Uuid, names.Index]);
        foreach (var c in cards.Where(c => c.Card.MemoryMiB > 0))
        {
            var ratio = (double)c.Use.MemoryMiB / c.Card.MemoryMiB;
            if (names.RatioHasType)
                to.Sample(ratio, c.Node, c.Card.Uuid, c.Index, c.Card.Model);
            else
                to.Sample(ratio, c.Node, c.Card.Uuid, c.Index);
        }
    }

    /// <summary>One line per container and card; two pods of one name, as the log may know for a moment, are added up.</summary>
    private static SortedDictionary<ContainerOnCard, (long MemoryMiB, long Cores)> Containers(ClusterLedger ledger)
    {
        var containers = new SortedDictionary<ContainerOnCard, (long MemoryMiB, long Cores)>(ContainerOnCard.InOrder);
        foreach (var (name, node) in ledger.Nodes)
        {
            foreach (var allocation in node.Allocations.Values)
            {
                foreach (var share in allocation.Shares)
                {
                    var key = new ContainerOnCard(allocation.Namespace, name, allocation.Pod, share.ContainerIndex, share.DeviceUuid);
                    var (memory, cores) = containers.GetValueOrDefault(key);
                    containers[key] = (memory + share.MemoryMiB, cores + share.Cores);
                }
            }
        }
        return containers;
    }

    private static void WriteContainers(
        Exposition to, SortedDictionary<ContainerOnCard, (long MemoryMiB, long Cores)> containers, string memory, string cores, params string[] labels)
    {
        to.Gauges(memory, "Memory of a card given to a container, in bytes.", Zone, labels);
        foreach (var (c, use) in containers)
            to.Sample(use.MemoryMiB * MiB, c.Namespace, c.Node, c.Pod, Text(c.Container), c.Uuid);
        to.Gauges(cores, "Compute of a card given to a container, in percent.", Zone, labels);
        foreach (var (c, use) in containers)
            to.Sample(use.Cores, c.Namespace, c.Node, c.Pod, Text(c.Container), c.Uuid);
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private readonly record struct CardOnNode(string Node, Card Card, CardUse Use, string Index);

    private readonly record struct ContainerOnCard(string Namespace, string Node, string Pod, int Container, string Uuid)
    {
        public static readonly IComparer<ContainerOnCard> InOrder = Comparer<ContainerOnCard>.Create((a, b) =>
            string.CompareOrdinal(a.Namespace, b.Namespace) is not 0 and var n ? n
            : string.CompareOrdinal(a.Pod, b.Pod) is not 0 and var p ? p
            : string.CompareOrdinal(a.Node, b.Node) is not 0 and var m ? m
            : a.Container.CompareTo(b.Container) is not 0 and var c ? c
            : string.CompareOrdinal(a.Uuid, b.Uuid));
    }

    /// <summary>What the same things are called since HAMi v2.9, and before.</summary>
    private sealed record Names(
        string Node, string Uuid, string Index, string Type, string Cores, string MemoryMiB, bool RatioHasType,
        string MemoryLimit, string CoreLimit, string MemoryAllocated, string Shared, string CoreAllocated, string Overview, string MemoryRatio)
    {
        public static readonly Names Now = new(
            "node", "device_uuid", "device_index", "device_type", "device_cores", "device_memory_limit", RatioHasType: true,
            "hami_gpu_memory_limit_bytes", "hami_gpu_core_limit_ratio", "hami_gpu_memory_allocated_bytes", "hami_gpu_shared_count",
            "hami_gpu_core_allocated_ratio", "hami_node_gpu_overview", "hami_node_gpu_memory_allocated_ratio");

        public static readonly Names Legacy = new(
            "nodeid", "deviceuuid", "deviceidx", "devicetype", "devicecores", "devicememorylimit", RatioHasType: false,
            "GPUDeviceMemoryLimit", "GPUDeviceCoreLimit", "GPUDeviceMemoryAllocated", "GPUDeviceSharedNum",
            "GPUDeviceCoreAllocated", "nodeGPUOverview", "nodeGPUMemoryPercentage");
    }
}
