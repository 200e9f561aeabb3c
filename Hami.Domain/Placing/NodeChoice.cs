using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>A node that can take the pod, how full it is before, and the shares it would give.</summary>
public sealed record FittingNode(NodeUse Node, double Score, IReadOnlyList<Share> Shares);

/// <summary>What became of the nodes offered for one pod.</summary>
public sealed record NodeChoice(IReadOnlyList<FittingNode> BestFirst, IReadOnlyList<NodeUnfit> Unfit)
{
    /// <summary>Tries the pod on every node; the best comes first, equal scores in order of the nodes' names.</summary>
    public static NodeChoice Among(PodAsk ask, IEnumerable<NodeUse> nodes)
    {
        var fitting = new List<FittingNode>();
        var unfit = new List<NodeUnfit>();
        var shares = new List<Share>();
        Span<int> refusals = stackalloc int[CardRefusals.Count];
        foreach (var node in nodes)
        {
            if (NodeFit.TryFit(ask, node, shares, refusals))
                fitting.Add(new(node, Placing.Score.Node(node), [.. shares]));
            else
                unfit.Add(NodeUnfit.From(node.Name, node.Cards.Length, refusals));
        }
        fitting.Sort((a, b) =>
        {
            var score = ask.Nodes is Packing.Spread ? a.Score.CompareTo(b.Score) : b.Score.CompareTo(a.Score);
            return score != 0 ? score : string.CompareOrdinal(a.Node.Name, b.Node.Name);
        });
        return new(fitting, unfit);
    }

    /// <summary>The nodes after the best, for the record.</summary>
    public IReadOnlyList<ScoredNode> RunnersUp(int most) =>
        [.. BestFirst.Skip(1).Take(most).Select(n => new ScoredNode(n.Node.Name, Rounded(n.Score)))];

    internal static decimal Rounded(double score) => decimal.Round((decimal)score, 3);
}
