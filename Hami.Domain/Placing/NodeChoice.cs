using Hami.Domain.Ledger;
using Hami.Domain.Placing.Fragmentation;

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
    /// <param name="all">Gets every node that fits, in the order offered; null when only the best is wanted.</param>
    public static NodeChoice Among(PodAsk ask, IReadOnlyList<NodeUse> nodes, Terms terms, List<NodeUse>? all = null)
    {
        var costs = new NodeCosts(ask, terms);
        var top = new Candidate[1 + MostRunnersUp];
        var fitting = 0;
        for (var i = 0; i < nodes.Count; i++)
        {
            var increase = costs.Of(nodes[i]);
            if (increase >= FragmentationScores.Unfit)
                continue;
            fitting++;
            all?.Add(nodes[i]);
            Insert(top, new(nodes[i], Worth(ask.Nodes, nodes[i], increase)));
        }
        if (top[0].Node is not { } best)
            return new(null, [], 0);

        var shares = new List<Share>();
        Span<int> refusals = stackalloc int[CardRefusals.Count];
        if (!NodeFit.TryFit(ask, best, terms, shares, refusals))
            throw new InvalidOperationException($"Node {best.Name} fits pod {ask.Uid} at a glance but not in full.");
        return new(
            new(best, shares), [.. top.Skip(1).Where(c => c.Node is not null).Select(c => new ScoredNode(c.Node.Name, Rounded(c.Node.Score)))], fitting);
    }

    /// <summary>How good the node is by a policy; more is better.</summary>
    /// <param name="increase">Of useless leftovers, see <see cref="NodeCosts.Of"/>.</param>
    internal static double Worth(NodePolicy policy, NodeUse node, int increase) => policy switch
    {
        NodePolicy.Fragmentation => -increase,
        NodePolicy.Spread => -node.Score,
        _ => node.Score,
    };

    internal static decimal Rounded(double score) => decimal.Round((decimal)score, 3);

    private static void Insert(Candidate[] top, Candidate candidate)
    {
        var at = top.Length;
        while (at > 0 && (top[at - 1].Node is null || candidate.IsBetterThan(top[at - 1])))
            at--;
        if (at == top.Length)
            return;
        Array.Copy(top, at, top, at + 1, top.Length - at - 1);
        top[at] = candidate;
    }

    private readonly record struct Candidate(NodeUse Node, double Rank)
    {
        public bool IsBetterThan(Candidate other) =>
            Rank != other.Rank ? Rank > other.Rank : string.CompareOrdinal(Node.Name, other.Node.Name) < 0;
    }
}
