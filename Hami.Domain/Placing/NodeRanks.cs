using Hami.Domain.Placing.Fragmentation;

namespace Hami.Domain.Placing;

/// <summary>Ranks nodes for kube-scheduler, which adds its own preferences.</summary>
public static class NodeRanks
{
    /// <summary>kube-scheduler's <c>MaxExtenderPriority</c>.</summary>
    public const int Best = 10;

    // Above the rank of nodes that cannot take the pod.
    private const int LeastFitting = 1;

    /// <summary>A rank from 0 to <see cref="Best"/> for each node, in their order: the pod's policy's best gets the highest, those that cannot take it 0.</summary>
    public static int[] Of(PodAsk ask, IReadOnlyList<NodeUse> nodes, Terms terms)
    {
        var costs = new NodeCosts(ask, terms);
        var worths = new double?[nodes.Count];
        var (least, most) = (double.MaxValue, double.MinValue);
        for (var i = 0; i < worths.Length; i++)
        {
            var increase = costs.Of(nodes[i]);
            if (increase >= FragmentationScores.Unfit)
                continue;
            var worth = NodeChoice.Worth(ask.Nodes, nodes[i], increase);
            worths[i] = worth;
            (least, most) = (Math.Min(least, worth), Math.Max(most, worth));
        }
        return Array.ConvertAll(worths, w => w is not { } worth ? 0
            : most > least ? LeastFitting + (int)Math.Round((Best - LeastFitting) * (worth - least) / (most - least))
            : Best);
    }
}
