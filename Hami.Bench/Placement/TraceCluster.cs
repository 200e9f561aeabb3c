using Hami.Domain.Ledger;
using Hami.Domain.Placing;

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
    private readonly Dictionary<string, int> _byName = new(StringComparer.Ordinal);

    public TraceCluster(IReadOnlyList<TraceNode> nodes)
    {
        _nodes = [.. nodes.Select(Node)];
        for (var i = 0; i < _nodes.Length; i++)
            _byName.Add(_nodes[i].Name, i);
    }

    public IReadOnlyList<NodeUse> Nodes => _nodes;

    /// <summary>The nodes whose CPU and memory suffice: those that kube-scheduler would offer.</summary>
    public void Offer(PodAsk ask, List<NodeUse> offered)
    {
        offered.Clear();
        foreach (var node in _nodes)
        {
            if (node.Host!.CpuMilli >= ask.Host!.CpuMilli && node.Host.MemoryMiB >= ask.Host.MemoryMiB)
                offered.Add(node);
        }
    }

    public void Place(PodAsk ask, FittingNode place)
    {
        ref var node = ref _nodes[_byName[place.Node.Name]];
        node = node.With(place.Shares).With(new HostRoom(node.Host!.CpuMilli - ask.Host!.CpuMilli, node.Host.MemoryMiB - ask.Host.MemoryMiB));
    }

    public static PodAsk Ask(TracePod pod, NodePolicy nodes, CardPolicy cards) => new(
        pod.Name, "trace", pod.Name, pod.Cards == 0 ? [] : [new("main", false, pod.Cards, pod.CardMilli, 0, 0)],
        pod.Models.Count == 0 ? CardWish.Any : new(pod.Models, [], [], []), nodes, cards, Host: new(pod.CpuMilli, pod.MemoryMiB));

    private static NodeUse Node(TraceNode node) => NodeUse.Of(
        node.Name,
        NodeLedger.Empty with
        {
            Cards = [.. Enumerable.Range(0, node.Cards).Select(i => new Card($"{node.Name}/{i}", i, node.Model, Trace.WholeCard, 100, Slots, 0, "hami-core", true))],
        },
        new(node.CpuMilli, node.MemoryMiB));
}
