using System.Net;
using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Observing;
using Hami.Domain.Ledger;
using Hami.Domain.Replaying;

namespace Hami.Api.Registering;

/// <summary>A node that has cards, or pods that hold some.</summary>
public sealed class Node
{
    private readonly NodeSums _sums;
    private readonly bool _isNow;

    internal Node(string name, NodeSums sums, bool isNow, NodeFacts? facts) => (Name, _sums, _isNow, Facts) = (name, sums, isNow, facts);

    internal static readonly Dictionary<NodeSort, Order<Node>> Orders = new()
    {
        [NodeSort.Name] = Order<Node>.Text("name", n => n.Name, n => n.Name),
        [NodeSort.Devices] = Order<Node>.Number("devices", n => n.DeviceCount, n => n.Name),
        [NodeSort.UsedMemory] = Order<Node>.Number("usedMemory", n => n.UsedMemoryMiB, n => n.Name),
        [NodeSort.UsedCores] = Order<Node>.Number("usedCores", n => n.UsedCores, n => n.Name),
        [NodeSort.Pods] = Order<Node>.Number("pods", n => n.Pods, n => n.Name),
        [NodeSort.Memory] = Order<Node>.Number("memory", n => n.MemoryMiB, n => n.Name),
        [NodeSort.Cores] = Order<Node>.Number("cores", n => n.Cores, n => n.Name),
        [NodeSort.Slots] = Order<Node>.Number("slots", n => n.Slots, n => n.Name),
        [NodeSort.UsedSlots] = Order<Node>.Number("usedSlots", n => n.UsedSlots, n => n.Name),
        [NodeSort.UsedMemoryPercent] = Order<Node>.Known("usedMemoryPercent", n => Parts.Of(n.UsedMemoryMiB, n.MemoryMiB), n => n.Name),
        [NodeSort.UsedCoresPercent] = Order<Node>.Known("usedCoresPercent", n => Parts.Of(n.UsedCores, n.Cores), n => n.Name),
        [NodeSort.Busy] = Order<Node>.Known("busy", n => Parts.Of(n.Measured?.Busy, 100), n => n.Name),
        [NodeSort.MemoryInUse] = Order<Node>.Known("memoryInUse", n => Parts.Of(n.Measured?.MemoryUsedMiB, n.Measured?.MemoryTotalMiB), n => n.Name),
        [NodeSort.Status] = Order<Node>.Known("status", n => n.Facts is not { } f ? null : !f.Ready ? 0 : !f.Schedulable ? 1 : 2, n => n.Name),
        [NodeSort.Type] = Order<Node>.Text("type", n => string.Join(',', n.Types), n => n.Name),
        [NodeSort.Address] = Order<Node>.KnownText("address", n => Sortable(n.Facts?.Address), n => n.Name),
        [NodeSort.Vendor] = Order<Node>.KnownText("vendor", n => Counted.Of(n.Vendor), n => n.Name),
        [NodeSort.OsImage] = Order<Node>.KnownText("osImage", n => Counted.Of(n.Facts?.OsImage), n => n.Name),
        [NodeSort.Architecture] = Order<Node>.KnownText("architecture", n => Counted.Of(n.Facts?.Architecture), n => n.Name),
        [NodeSort.KernelVersion] = Order<Node>.KnownText("kernelVersion", n => Counted.Of(n.Facts?.KernelVersion), n => n.Name),
        [NodeSort.KubeletVersion] = Order<Node>.KnownText("kubeletVersion", n => Counted.Of(n.Facts?.KubeletVersion), n => n.Name),
        [NodeSort.ContainerRuntimeVersion] = Order<Node>.KnownText("containerRuntimeVersion", n => Counted.Of(n.Facts?.ContainerRuntimeVersion), n => n.Name),
        [NodeSort.Cpu] = Order<Node>.Known("cpu", n => n.Facts?.CpuMilli, n => n.Name),
        [NodeSort.HostMemory] = Order<Node>.Known("hostMemory", n => n.Facts?.HostMemoryMiB, n => n.Name),
        [NodeSort.CreatedAt] = Order<Node>.Known("createdAt", n => n.Facts?.CreatedAt?.UtcTicks, n => n.Name),
    };

    /// <summary>Name of the Kubernetes node.</summary>
    public string Name { get; }

    /// <summary>Its cards, in order of their index; none once the node has left while its pods are still there.</summary>
    public IReadOnlyList<Device> Devices => field ??= [.. Device.Of(Name, _sums, _isNow).Select(d =>
    {
        d.Past = Past;
        return d;
    })];

    /// <summary>Device memory in MiB of all its cards, memory scaling applied.</summary>
    public long MemoryMiB => _sums.Whole.MemoryMiB;

    /// <summary>Device memory in MiB held by allocations.</summary>
    public long UsedMemoryMiB => _sums.Whole.UsedMemoryMiB;

    /// <summary>Percent of compute of all its cards; 100 is one whole card.</summary>
    public long Cores => _sums.Whole.Cores;

    /// <summary>Percent of compute held by allocations; a pod that asked for none holds none.</summary>
    public long UsedCores => _sums.Whole.UsedCores;

    /// <summary>How many containers may share its cards.</summary>
    public int Slots => _sums.Slots;

    /// <summary>How many do; one that has two cards counts twice.</summary>
    public int UsedSlots => _sums.UsedSlots;

    /// <summary>How many of its cards are not reported unhealthy.</summary>
    public int HealthyDevices => _sums.Healthy;

    /// <summary>Product names of its cards, each once, by name.</summary>
    public IReadOnlyList<string> Types => _sums.Models;

    /// <summary>Who makes its cards, several with commas between; empty for a node without cards.</summary>
    public string Vendor => string.Join(',', Vendors);

    /// <summary>How many pods hold a part of its cards.</summary>
    public int Pods => _sums.Ledger.Allocations.Count;

    /// <summary>What the API server says of the node now; null for a moment in the past, and where there is no such node.</summary>
    public NodeFacts? Facts { get; }

    /// <summary>What is held of it, of the namespaces that you may see.</summary>
    public IEnumerable<LiveAllocation> Allocations([FromServices] Asker asker) => _sums.Ledger.Allocations.Values
        .Where(a => asker.Scope.Sees(a.Namespace))
        .OrderBy(a => a.Namespace, StringComparer.Ordinal).ThenBy(a => a.Pod, StringComparer.Ordinal)
        .Select(a => LiveAllocation.Of(Name, a, _isNow));

    /// <summary>Version of its driver, as its agent tells now; null when that is not known, and for a moment in the past.</summary>
    public string? DriverVersion([FromServices] LiveTelemetry live) => _isNow ? live.FactsOf(Name).DriverVersion : null;

    /// <summary>What its cards do now, or did at a moment in the past, as its agent measured it; null when that is not known.</summary>
    public async Task<CardsUsage?> Usage([FromServices] LiveTelemetry live, CancellationToken cancellationToken) =>
        Past is { } past ? await past.OfAsync(Name, null, cancellationToken) : _isNow ? CardsUsage.Of(live.NowOf(Name)) : null;

    /// <summary>What the cards of its page did at a moment in the past.</summary>
    internal PageUse? Past { get; set; }

    internal IEnumerable<(string Node, string Uuid)> Cards => _sums.Ledger.Cards.Select(c => (Name, c.Uuid));

    internal int DeviceCount => _sums.Uses.Count;

    internal IEnumerable<string> Vendors => _sums.Types.Select(t => t.Vendor).Distinct(StringComparer.Ordinal);

    /// <summary>What its cards do now, where the list is sorted by it.</summary>
    internal CardsUsage? Measured { get; init; }

    // 10.0.0.9 stands before 10.0.0.10; names behind addresses.
    private static string? Sortable(string? address) =>
        address is null ? null : IPAddress.TryParse(address, out var ip) ? $"1{ip.GetAddressBytes().Length:D2}{Convert.ToHexString(ip.GetAddressBytes())}" : $"2{address}";
}

/// <summary>What one pod holds on a node.</summary>
/// <param name="Id">Id of the allocation.</param>
/// <param name="PodUid">UID of the pod.</param>
/// <param name="Namespace">Its namespace.</param>
/// <param name="Pod">Its name.</param>
/// <param name="Phase">How far it has come.</param>
/// <param name="IsAdopted">Whether another scheduler placed it.</param>
/// <param name="Shares">The parts of cards that it holds.</param>
public sealed record LiveAllocation(Guid Id, string PodUid, string Namespace, string Pod, AllocationPhase Phase, bool IsAdopted, IReadOnlyList<Share> Shares)
{
    private string Node { get; init; } = "";

    private bool IsNow { get; init; }

    /// <summary>What the pod uses of them now, as the node's agent measured it; null when that is not known, and for a moment in the past.</summary>
    public ShareUsage? Usage([FromServices] LiveTelemetry live) => IsNow ? ShareUsage.Of(live.NowOf(Node).Where(n => n.Key.PodUid == PodUid)) : null;

    internal static LiveAllocation Of(string node, Allocation a, bool isNow) => new(a.Id, a.PodUid, a.Namespace, a.Pod, a.Phase, a.IsAdopted, a.Held) { Node = node, IsNow = isNow };
}

/// <summary>Which nodes; what is left out is not asked for.</summary>
public sealed class NodeFilter
{
    /// <summary>Only the node of this name.</summary>
    public string? Name { get; init; }

    /// <summary>Only nodes in whose name this occurs.</summary>
    public string? NameContains { get; init; }

    /// <summary>Only nodes with a card in whose product name this occurs.</summary>
    public string? TypeContains { get; init; }

    /// <summary>Only nodes of which something is held, or nothing is.</summary>
    public bool? Used { get; init; }

    /// <summary>Only nodes whose cards are all healthy, or of which some is not.</summary>
    public bool? Healthy { get; init; }

    /// <summary>Only nodes in whose name, address or cards' product names this occurs.</summary>
    public string? Search { get; init; }

    /// <summary>Only nodes whose kubelet says that it is ready, or does not; of now only.</summary>
    public bool? Ready { get; init; }

    /// <summary>Only nodes that take new pods, or that an admin cordoned; of now only.</summary>
    public bool? Schedulable { get; init; }

    /// <summary>Only nodes with cards of this vendor.</summary>
    public string? Vendor { get; init; }

    /// <summary>Only nodes with cards of this product name.</summary>
    public string? Type { get; init; }

    /// <summary>Refuses what is not known of the past.</summary>
    internal void MustBeKnown(bool isNow)
    {
        if (!isNow && (Ready ?? Schedulable) is not null)
            throw new ExecutionError("ready and schedulable are known of now only: leave them out of the filter, or at out of the question.") { Code = "BAD_FILTER" };
    }

    internal bool Takes(Node node) =>
        Match.Is(Name, node.Name) && Match.Has(NameContains, node.Name) && Match.Is(Used, node.Pods > 0)
        && (TypeContains is null || node.Types.Any(t => Match.Has(TypeContains, t)))
        && Match.Is(Healthy, node.HealthyDevices == node.DeviceCount)
        && (Search is null || Match.Has(Search, node.Name) || Match.Has(Search, node.Facts?.Address ?? "") || node.Types.Any(t => Match.Has(Search, t)))
        && (Ready is null || node.Facts?.Ready == Ready) && (Schedulable is null || node.Facts?.Schedulable == Schedulable)
        && (Vendor is null || node.Vendors.Contains(Vendor, StringComparer.Ordinal)) && (Type is null || node.Types.Contains(Type, StringComparer.Ordinal));
}

/// <summary>What nodes are sorted by; what is not known comes last.</summary>
public enum NodeSort
{
    /// <summary>Name.</summary>
    Name,

    /// <summary>Number of cards.</summary>
    Devices,

    /// <summary>Device memory held.</summary>
    UsedMemory,

    /// <summary>Compute held.</summary>
    UsedCores,

    /// <summary>Pods that hold a part of its cards.</summary>
    Pods,

    /// <summary>Compute.</summary>
    Cores,

    /// <summary>Device memory.</summary>
    Memory,

    /// <summary>Containers that may share its cards.</summary>
    Slots,

    /// <summary>Containers that do.</summary>
    UsedSlots,

    /// <summary>Part of the compute that is held.</summary>
    UsedCoresPercent,

    /// <summary>Part of the device memory that is held.</summary>
    UsedMemoryPercent,

    /// <summary>How busy its cards are now, on average.</summary>
    Busy,

    /// <summary>Part of the device memory in use now.</summary>
    MemoryInUse,

    /// <summary>Not ready, then cordoned, then others.</summary>
    Status,

    /// <summary>Product names of its cards.</summary>
    Type,

    /// <summary>Address.</summary>
    Address,

    /// <summary>Who makes its cards.</summary>
    Vendor,

    /// <summary>Name and version of its operating system.</summary>
    OsImage,

    /// <summary>Architecture.</summary>
    Architecture,

    /// <summary>Version of its kernel.</summary>
    KernelVersion,

    /// <summary>Version of its kubelet.</summary>
    KubeletVersion,

    /// <summary>What runs its containers.</summary>
    ContainerRuntimeVersion,

    /// <summary>CPU that pods may have.</summary>
    Cpu,

    /// <summary>Memory of the node's own that pods may have.</summary>
    HostMemory,

    /// <summary>When it was registered with the API server.</summary>
    CreatedAt,
}
