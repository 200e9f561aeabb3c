using System.Runtime.CompilerServices;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Fragmentation;

namespace Hami.Bench.Placement;

/// <summary>Places by the policy <c>fragmentation</c>.</summary>
internal sealed class FragmentationPlacer(FragmentationPolicy configured) : ITracePlacer
{
    private readonly ConditionalWeakTable<NodeUse, FragmentationScores> _beside = [];

    /// <summary>Replaced when the workload is learned anew.</summary>
    public FragmentationPolicy Policy { get; set; } = configured;

    public PodAsk Ask(TracePod pod) => TraceCluster.Ask(pod, NodePolicy.Fragmentation, new("fragmentation"));

    public FittingNode? Choose(PodAsk ask, IReadOnlyList<NodeUse> offered)
    {
        var shape = Policy.Shape(ask);
        NodeUse? best = null;
        var least = FragmentationScores.Unfit;
        foreach (var node in offered)
        {
            var increase = Increase(ask, shape, node);
            if (increase < least || (increase == least && best is not null && string.CompareOrdinal(node.Name, best.Name) < 0))
                (best, least) = (node, increase);
        }
        return best is null ? null : new(best, Shares(ask, best));
    }

    private int Increase(PodAsk ask, int shape, NodeUse node)
    {
        if (!_beside.TryGetValue(node, out var scores) || scores.Policy != Policy)
            _beside.AddOrUpdate(node, scores = new(Policy));
        if (scores.TryGet(shape, out var known))
            return known;
        var after = node.Uses.ToArray();
        var increase = Take(ask, node, after, null) ? FragmentationPolicy.Increase(scores.Unusable(node), Policy.Workload.Unusable(node, after, ask.Host)) : FragmentationScores.Unfit;
        scores.Keep(shape, increase);
        return increase;
    }

    private List<Share> Shares(PodAsk ask, NodeUse node)
    {
        var shares = new List<Share>();
        Take(ask, node, node.Uses.ToArray(), shares);
        return shares;
    }

    private bool Take(PodAsk ask, NodeUse node, CardUse[] uses, List<Share>? shares)
    {
        if (ask.Containers.Count == 0)
            return true;
        var container = ask.Containers[0];
        if (container.Count > uses.Length)
            return false;
        Span<int> order = stackalloc int[uses.Length];
        Policy.BestFirst(ask, container, node, node.Uses, order);
        foreach (var card in order[..container.Count])
        {
            if (!ask.Wish.AllowsType(node.Cards[card]) || node.Cards[card].MemoryMiB - uses[card].MemoryMiB < container.MemoryMiB)
                return false;
            var share = new Share(0, container.Name, false, node.Cards[card].Uuid, container.MemoryMiB, 0);
            uses[card] += CardUse.Of(share);
            shares?.Add(share);
        }
        return true;
    }
}
