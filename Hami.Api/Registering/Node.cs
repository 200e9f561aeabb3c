using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Observing;
using Hami.Domain.Ledger;

namespace Hami.Api.Registering;

/// <summary>A node that has cards, or pods that hold some.</summary>
/// <param name="name">Name of the Kubernetes node.</param>
public sealed class Node(string name, NodeLedger ledger)
{
    private readonly Lazy<IReadOnlyList<Device>> _devices = new(() => [.. Device.Of(name, ledger)]);

    internal static readonly Dictionary<NodeSort, Order<Node>> Orders = new()
    {
        [NodeSort.Name] = Order<Node>.Text("name", n => n.Name, n => n.Name),
        [NodeSort.Devices] = Order<Node>.Number("devices", n => n.Devices.Count, n => n.Name),
        [NodeSort.UsedMemory] = Order<Node>.Number("usedMemory", n => n.UsedMemoryMiB, n => n.Name),
        [NodeSort.UsedCores] = Order<Node>.Number("usedCores", n => n.UsedCores, n => n.Name),
        [NodeSort.Pods] = Order<Node>.Number("pods", n => n.Pods, n => n.Name),
    };

    /// <summary>Name of the Kubernetes node.</summary>
    public string Name => name;

    /// <summary>Its cards, in order of their index; none once the node has left while its pods are still there.</summary>
    public IReadOnlyList<Device> Devices => _devices.Value;

    /// <summary>Device memory in MiB of all its cards, memory scaling applied.</summary>
    public long MemoryMiB => Devices.Sum(d => d.MemoryMiB);

    /// <summary>Device memory in MiB held by allocations.</summary>
    public long UsedMemoryMiB => Devices.Sum(d => d.UsedMemoryMiB);

    /// <summary>Percent of compute of all its cards; 100 is one whole card.</summary>
    public long Cores => Devices.Sum(d => (long)d.Cores);

    /// <summary>Percent of compute held by allocations; a pod that asked for none holds none.</summary>
    public long UsedCores => Devices.Sum(d => (long)d.UsedCores);

    /// <summary>How many pods hold a part of its cards.</summary>
    public int Pods => ledger.Allocations.Count;

    /// <summary>What is held of it now, of the namespaces that you may see.</summary>
    public IEnumerable<LiveAllocation> Allocations([FromServices] Asker asker) => ledger.Allocations.Values
        .Where(a => asker.Scope.Sees(a.Namespace))
        .OrderBy(a => a.Namespace, StringComparer.Ordinal).ThenBy(a => a.Pod, StringComparer.Ordinal)
        .Select(a => LiveAllocation.Of(name, a));

    /// <summary>What its cards do now, as its agent measured it; null when that is not known.</summary>
    public CardsUsage? Usage([FromServices] LiveTelemetry live) => CardsUsage.Of(live.NowOf(name));
}

/// <summary>What one pod holds on a node now.</summary>
/// <param name="Id">Id of the allocation.</param>
/// <param name="PodUid">UID of the pod.</param>
/// <param name="Namespace">Its namespace.</param>
/// <param name="Pod">Its name.</param>
/// <param name="Phase">How far it has come.</param>
/// <param name="IsAdopted">Whether another scheduler placed it.</param>
/// <param name="Shares">The parts of cards that it holds.</param>
public sealed record LiveAllocation(Guid Id, string PodUid, string Namespace, string Pod, AllocationPhase Phase, bool IsAdopted, IReadOnlyList<Share> Shares)
{
    internal string Node { get; init; } = "";

    /// <summary>What the pod uses of them now, as the node's agent measured it; null when that is not known.</summary>
    public ShareUsage? Usage([FromServices] LiveTelemetry live) => ShareUsage.Of(live.NowOf(Node).Where(n => n.Key.PodUid == PodUid));

    internal static LiveAllocation Of(string node, Allocation a) => new(a.Id, a.PodUid, a.Namespace, a.Pod, a.Phase, a.IsAdopted, a.Held) { Node = node };
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

    internal bool Takes(Node node) =>
        Match.Is(Name, node.Name) && Match.Has(NameContains, node.Name) && Match.Is(Used, node.Pods > 0)
        && (TypeContains is null || node.Devices.Any(d => Match.Has(TypeContains, d.Type)))
        && Match.Is(Healthy, node.Devices.All(d => d.Healthy));
}

/// <summary>What nodes are sorted by.</summary>
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
}
