using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>A node that can take the pod, and the shares it would give.</summary>
public sealed record FittingNode(NodeUse Node, IReadOnlyList<Share> Shares);

/// <summary>What became of the nodes offered for one pod.</summary>
/// <param name="Best">Null when none fits.</param>
/// <param name="RunnersUp">The next best nodes, best first.</param>
/// <param name="Fitting">How many fit.</param>
public sealed record NodeChoice(FittingNode? Best, IReadOnlyList<ScoredNode> RunnersUp, int Fitting)
{
    private const int MostRunnersUp = 3;

    /// <summary>Tries the pod on every node; the best has the pod's policy's best score, equal ones by the node's name.</summary>
    /// <param name="quota">What the pod's namespace may still take.</param>
    /// <param name="all">Gets every node that fits, in the order offered; null when only the best is wanted.</param>
    public static NodeChoice Among(PodAsk ask, IReadOnlyList<NodeUse> nodes, QuotaRoom quota, List<NodeUse>? all = null)
    {
        var only = NodeFit.OnlyAsking(ask, quota);
        var scratch = new List<Share>();
        var top = new NodeUse?[1 + MostRunnersUp];
        var fitting = 0;
        for (var i = 0; i < nodes.Count; i++)
        {
            if (!NodeFit.Fits(ask, nodes[i], quota, only, scratch))
                continue;
            fitting++;
            all?.Add(nodes[i]);
            Insert(top, ask.Nodes, nodes[i]);
        }
        if (top[0] is not { } best)
            return new(null, [], 0);

        Span<int> refusals = stackalloc int[CardRefusals.Count];
        if (!NodeFit.TryFit(ask, best, quota, scratch, refusals))
            throw new InvalidOperationException($"Node {best.Name} fits pod {ask.Uid} at a glance but not in full.");
        return new(new(best, [.. scratch]), [.. top.Skip(1).OfType<NodeUse>().Select(n => new ScoredNode(n.Name, Rounded(n.Score)))], fitting);
    }

    internal static decimal Rounded(double score) => decimal.Round((decimal)score, 3);

    private static void Insert(NodeUse?[] top, NodePolicy policy, NodeUse node)
    {
        var at = top.Length;
        while (at > 0 && (top[at - 1] is not { } other || IsBetter(policy, node, other)))
            at--;
        if (at == top.Length)
            return;
        Array.Copy(top, at, top, at + 1, top.Length - at - 1);
        top[at] = node;
    }

    private static bool IsBetter(NodePolicy policy, NodeUse a, NodeUse b)
    {
        var score = policy is NodePolicy.Spread ? b.Score.CompareTo(a.Score) : a.Score.CompareTo(b.Score);
        return score != 0 ? score > 0 : string.CompareOrdinal(a.Name, b.Name) < 0;
    }
}
