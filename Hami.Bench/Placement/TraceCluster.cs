using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Fragmentation;

namespace Hami.Bench.Placement;

/// <summary>
/// The nodes of a trace as placement sees them. A card of the trace is one number, so it becomes a card with 1000 MiB of which shares
/// take as many MiB as they ask thousandths; cores are not asked.
/// </summary>
internal sealed class TraceCluster
{
    // A trace knows no slots; this many never bind.
    private const int Slots = 1000;

    private readonly NodeUse[] _nodes;
    private readonly HostRoom[] _hosts;

    public TraceCluster(IReadOnlyList<TraceNode> nodes)
    {
        _nodes = [.. nodes.Select(Node)];
        _hosts = [.. nodes.Select(n => new HostRoom(n.CpuMilli, n.MemoryMiB))];
    }

    public int Count => _nodes.Length;

    public ReadOnlySpan<NodeUse> Nodes => _nodes;

    public ReadOnlySpan<HostRoom> Hosts => _hosts;

    public void Place(int node, IReadOnlyList<Share> shares, HostRoom host)
    {
        _nodes[node] = _nodes[node].With(shares);
        _hosts[node] = _hosts[node].Less(host);
    }

    public static HostRoom Host(TracePod pod) => new(pod.CpuMilli, pod.MemoryMiB);

    public static PodAsk Ask(TracePod pod, Packing packing) => new(
        pod.Name, "trace", pod.Name, pod.Cards == 0 ? [] : [new("main", false, pod.Cards, pod.CardMilli, 0, 0)],
        pod.Models.Count == 0 ? CardWish.Any : new(pod.Models, [], [], []), packing, packing);

    private static NodeUse Node(TraceNode node) => NodeUse.Of(node.Name, NodeLedger.Empty with
    {
        Cards = [.. Enumerable.Range(0, node.Cards).Select(i => new Card($"{node.Name}/{i}", i, node.Model, Trace.WholeCard, 100, Slots, 0, "hami-core", true))],
    });
}
