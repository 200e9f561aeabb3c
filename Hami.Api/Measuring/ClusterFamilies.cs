using System.Globalization;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;

namespace Hami.Api.Measuring;

/// <summary>HAMi's metric families about nodes, cards, pods and quotas, from the ledger as it is at the scrape.</summary>
internal static class ClusterFamilies
{
    private const double MiB = 1 << 20;
    private const string Zone = "zone=\"vGPU\"";

    public static IEnumerable<Family> Of(ClusterLedger ledger, NvidiaConfig nvidia, bool legacy)
    {
        var cards = Cards(ledger);
        var containers = Containers(ledger);
        var quotas = Quotas(ledger, nvidia);
        var families = OfCards(cards, Names.Now)
            .Concat(legacy ? OfCards(cards, Names.Legacy) : [])
            .Append(MigInstances(ledger))
            .Append(QuotaUsed("hami_resource_quota_used", quotas, "namespace", "quota_name", "limit"))
            .Concat(quotas.Exists(q => q.Limit is not null) ? [QuotaLimit(quotas)] : []) // as in HAMi, absent where nothing is limited
            .Concat(OfContainers(containers, "hami_vgpu_memory_allocated_bytes", "hami_vgpu_core_allocated_ratio", "namespace", "node", "pod", "container_index", "device_uuid"));
        if (legacy)
        {
            families = families
                .Append(QuotaUsed("QuotaUsed", quotas, "quotanamespace", "quotaName", "limit"))
                .Concat(OfContainers(containers, "vGPUMemoryAllocated", "vGPUCoreAllocated", "podnamespace", "nodename", "podname", "containeridx", "deviceuuid"));
        }
        return families.Select(f => f with { Constant = Zone });
    }

    private static List<CardOnNode> Cards(ClusterLedger ledger)
    {
        var cards = new List<CardOnNode>();
        foreach (var (name, node) in InOrder(ledger.Nodes))
        {
            var use = NodeUse.Of(name, node);
            for (var i = 0; i < use.Cards.Length; i++)
                cards.Add(new(name, use.Cards[i], use.Uses[i], Text(use.Cards[i].Index)));
        }
        return cards;
    }

    private static IEnumerable<Family> OfCards(List<CardOnNode> cards, Names names)
    {
        string[] four = [names.Node, names.Uuid, names.Index, names.Type];
        yield return new(names.MemoryLimit, "Memory of the card in bytes, memory scaling applied.", four, cards.Select(c => Four(c, c.Card.MemoryMiB * MiB)));
        yield return new(names.CoreLimit, "Compute of the card in percent, core scaling applied.", four, cards.Select(c => Four(c, c.Card.Cores)));
        yield return new(
            names.MemoryAllocated, "Memory allocated of the card in bytes.", [names.Node, names.Uuid, names.Index, names.Cores, names.Type],
            cards.Select(c => new Sample(c.Use.MemoryMiB * MiB, c.Node, c.Card.Uuid, c.Index, Text(c.Card.Cores), c.Card.Model)));
        yield return new(names.Shared, "Containers that share the card.", four, cards.Select(c => Four(c, c.Use.Slots)));
        yield return new(names.CoreAllocated, "Compute allocated of the card in percent.", four, cards.Select(c => Four(c, c.Use.Cores)));
        yield return new(
            names.Overview, "Memory allocated of the card in bytes, with the card's size.", [names.Node, names.Uuid, names.Index, names.Cores, names.MemoryMiB, names.Type],
            cards.Select(c => new Sample(c.Use.MemoryMiB * MiB, c.Node, c.Card.Uuid, c.Index, Text(c.Card.Cores), Text(c.Card.MemoryMiB), c.Card.Model)));
        yield return new(
            names.MemoryRatio, "Part of the card's memory that is allocated, 0 to 1.", names.RatioHasType ? four : [names.Node, names.Uuid, names.Index],
            cards.Where(c => c.Card.MemoryMiB > 0).Select(c => names.RatioHasType
                ? Four(c, (double)c.Use.MemoryMiB / c.Card.MemoryMiB)
                : new Sample((double)c.Use.MemoryMiB / c.Card.MemoryMiB, c.Node, c.Card.Uuid, c.Index)));

        static Sample Four(CardOnNode c, double value) => new(value, c.Node, c.Card.Uuid, c.Index, c.Card.Model);
    }

    /// <summary>The ids that the driver gives an instance are the node's; here they stay empty.</summary>
    private static Family MigInstances(ClusterLedger ledger) => new(
        "hami_node_gpu_mig_instance_info", "A MIG instance that a pod holds.",
        ["node", "device_uuid", "device_index", "mig_uuid", "profile", "gpu_instance_id", "compute_instance_id", "placement_start", "placement_size"],
        from node in InOrder(ledger.Nodes)
        from card in node.Value.Cards
        where card.IsMig
        from mig in node.Value.Allocations.Values.SelectMany(a => a.Held).Where(s => s.DeviceUuid == card.Uuid).Select(s => s.Mig).OfType<MigSlice>().Distinct().OrderBy(m => m.Start)
        select new Sample(1, node.Key, card.Uuid, Text(card.Index), "", mig.Profile, "", "", Text(mig.Start), Text(mig.Size)));

    /// <summary>In the units of the resource, as <c>kubectl describe resourcequota</c> shows them.</summary>
    private static List<Quota> Quotas(ClusterLedger ledger, NvidiaConfig nvidia)
    {
        var quotas = new List<Quota>();
        foreach (var name in ledger.Quotas.Keys.Concat(ledger.Used.Keys).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            var used = ledger.Used.GetValueOrDefault(name, QuotaUse.None);
            // The tightest of several counts.
            var limits = QuotaRoom.Of(ledger.Quotas.GetValueOrDefault(name, []), QuotaUse.None);
            quotas.Add(new(name, nvidia.ResourceNames.Memory, used.MemoryMiB / nvidia.MemoryFactor, limits.MemoryMiB / nvidia.MemoryFactor));
            quotas.Add(new(name, nvidia.ResourceNames.Cores, used.Cores, limits.Cores));
        }
        return quotas;
    }

    private static Family QuotaUsed(string name, List<Quota> quotas, params string[] labels) => new(
        name, "What a namespace's pods hold, in the units of the resource.", labels, quotas.Select(q => new Sample(q.Used, q.Namespace, q.Resource, Text(q.Limit ?? 0))));

    private static Family QuotaLimit(List<Quota> quotas) => new(
        "hami_resource_quota_limit", "What a namespace may hold, in the units of the resource.", ["namespace", "quota_name"],
        quotas.Where(q => q.Limit is not null).Select(q => new Sample(q.Limit!.Value, q.Namespace, q.Resource)));

    /// <summary>One entry per container and card; two pods of one name, as the log may know for a moment, are added up.</summary>
    private static SortedDictionary<ContainerOnCard, (long MemoryMiB, long Cores)> Containers(ClusterLedger ledger)
    {
        var containers = new SortedDictionary<ContainerOnCard, (long MemoryMiB, long Cores)>(ContainerOnCard.InOrder);
        foreach (var (name, node) in ledger.Nodes)
        {
            foreach (var allocation in node.Allocations.Values)
            {
                foreach (var share in allocation.Held)
                {
                    var key = new ContainerOnCard(allocation.Namespace, name, allocation.Pod, share.ContainerIndex, share.DeviceUuid);
                    var (memory, cores) = containers.GetValueOrDefault(key);
                    containers[key] = (memory + share.MemoryMiB, cores + share.Cores);
                }
            }
        }
        return containers;
    }

    private static IEnumerable<Family> OfContainers(
        SortedDictionary<ContainerOnCard, (long MemoryMiB, long Cores)> containers, string memory, string cores, params string[] labels)
    {
        yield return new(memory, "Memory of a card given to a container, in bytes.", labels, containers.Select(c => Five(c.Key, c.Value.MemoryMiB * MiB)));
        yield return new(cores, "Compute of a card given to a container, in percent.", labels, containers.Select(c => Five(c.Key, c.Value.Cores)));

        static Sample Five(ContainerOnCard c, double value) => new(value, c.Namespace, c.Node, c.Pod, Text(c.Container), c.Uuid);
    }

    private static IEnumerable<KeyValuePair<string, NodeLedger>> InOrder(IEnumerable<KeyValuePair<string, NodeLedger>> nodes) =>
        nodes.OrderBy(n => n.Key, StringComparer.Ordinal);

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private sealed record CardOnNode(string Node, Card Card, CardUse Use, string Index);

    private sealed record Quota(string Namespace, string Resource, long Used, long? Limit);

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
