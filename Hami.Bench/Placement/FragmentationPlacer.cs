using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Fragmentation;

namespace Hami.Bench.Placement;

/// <summary>Places by the policy <c>fragmentation</c>.</summary>
internal sealed class FragmentationPlacer(FragmentationPolicy configured) : ITracePlacer
{
    /// <summary>Replaced when the workload is learned anew.</summary>
    public FragmentationPolicy Policy { get; set; } = configured;

    private (NodeUse Node, FragmentationScores Scores)[] _beside = [];

    public TracePlace? Choose(TraceCluster cluster, TracePod pod)
    {
        if (_beside.Length == 0)
            _beside = new (NodeUse, FragmentationScores)[cluster.Count];
        var policy = Policy;
        var host = TraceCluster.Host(pod);
        var ask = TraceCluster.Ask(pod, Packing.Binpack);
        var shape = policy.Shape(ask, host);
        var best = -1;
        var least = FragmentationScores.Unfit;
        Span<CardUse> after = stackalloc CardUse[16];
        Span<int> order = stackalloc int[16];
        for (var i = 0; i < cluster.Count; i++)
        {
            if (!cluster.Hosts[i].Holds(host) || cluster.Nodes[i].Cards.Length < pod.Cards)
                continue;
            var node = cluster.Nodes[i];
            if (_beside[i].Node != node || _beside[i].Scores.Policy != policy)
                _beside[i] = (node, new(policy));
            var scores = _beside[i].Scores;
            if (!scores.TryGet(shape, out var increase))
            {
                increase = Fits(ask, node, cluster.Hosts[i].Less(host), after[..node.Cards.Length], order[..node.Cards.Length])
                    ? FragmentationPolicy.Increase(scores.Unusable(node.Cards, node.Uses, cluster.Hosts[i]), policy.Workload.Unusable(node.Cards, after[..node.Cards.Length], cluster.Hosts[i].Less(host)))
                    : FragmentationScores.Unfit;
                scores.Keep(shape, increase);
            }
            if (increase < least)
                (best, least) = (i, increase);
        }
        if (best < 0)
            return null;
        var shares = new List<Share>();
        if (pod.Cards > 0)
        {
            var chosen = cluster.Nodes[best];
            policy.BestFirst(ask.Containers[0], ask.Wish, chosen.Cards, chosen.Uses, cluster.Hosts[best].Less(host), order[..chosen.Cards.Length]);
            for (var c = 0; c < pod.Cards; c++)
                shares.Add(new(0, "main", false, chosen.Cards[order[c]].Uuid, pod.CardMilli, 0));
        }
        return new(best, shares);
    }

    private bool Fits(PodAsk ask, NodeUse node, HostRoom hostAfter, Span<CardUse> after, Span<int> order)
    {
        node.Uses.CopyTo(after);
        if (ask.Containers.Count == 0)
            return true;
        var container = ask.Containers[0];
        Policy.BestFirst(container, ask.Wish, node.Cards, node.Uses, hostAfter, order);
        for (var c = 0; c < container.Count; c++)
        {
            var card = order[c];
            if (!ask.Wish.AllowsType(node.Cards[card].Model) || node.Cards[card].MemoryMiB - after[card].MemoryMiB < container.MemoryMiB)
                return false;
            after[card] += new CardUse(1, 0, container.MemoryMiB);
        }
        return true;
    }
}
