namespace Hami.Domain.Placing;

/// <summary>Ranks nodes for kube-scheduler, which adds its own preferences.</summary>
public static class NodeRanks
{
    /// <summary>kube-scheduler's <c>MaxExtenderPriority</c>.</summary>
    public const int Best = 10;

    /// <summary>A rank from 0 to <see cref="Best"/> for each node, in their order; the policy's best gets the highest.</summary>
    public static int[] Of(NodePolicy policy, IReadOnlyList<NodeUse> nodes)
    {
        if (nodes.Count == 0)
            return [];
        var scores = nodes.Select(n => policy is NodePolicy.Spread ? -n.Score : n.Score).ToArray();
        var (least, most) = (scores.Min(), scores.Max());
        return [.. scores.Select(s => most > least ? (int)Math.Round(Best * (s - least) / (most - least)) : 0)];
    }
}
