using Hami.Domain.Ledger;
using Hami.Domain.Placing.Fragmentation;

namespace Hami.Domain.Placing;

/// <summary>What one pod costs on each node. A node's state remembers it, so that only nodes that have changed are looked at again.</summary>
internal sealed class NodeCosts
{
    private readonly PodAsk _ask;
    private readonly Terms _terms;
    private readonly int _shape;
    private readonly int _onlyAsking;
    private readonly List<Share> _scratch = [];

    public NodeCosts(PodAsk ask, Terms terms)
    {
        _ask = ask;
        _terms = terms;
        // A quota changes from pod to pod: what fits within it is not remembered.
        _shape = terms.Quota.IsUnlimited ? terms.Typical.Shape(ask) : -1;
        _onlyAsking = NodeFit.OnlyAsking(ask, terms);
    }

    /// <summary>
    /// How much more leftovers become useless, in the policy <c>fragmentation</c>; 0 in the others; <see cref="FragmentationScores.Unfit"/>
    /// when the node cannot take the pod.
    /// </summary>
    public int Of(NodeUse node)
    {
        var found = node.Found(_terms.Typical);
        if (found.TryGet(_shape, out var known))
            return known;
        var cost = !NodeFit.Fits(_ask, node, _terms, _onlyAsking, _scratch) ? FragmentationScores.Unfit
            : _ask.Nodes is NodePolicy.Fragmentation ? Increase(node, found)
            : 0;
        found.Keep(_shape, cost);
        return cost;
    }

    private int Increase(NodeUse node, FragmentationScores found)
    {
        Span<int> refusals = stackalloc int[CardRefusals.Count];
        NodeFit.TryFit(_ask, node, _terms, _scratch, refusals);
        var count = node.Cards.Length;
        var after = count <= NodeUse.CommonCards ? stackalloc CardUse[count] : new CardUse[count];
        for (var i = 0; i < count; i++)
            after[i] = node.Uses[i] + CardUse.Of(_scratch, node.Cards[i].Uuid);
        return FragmentationPolicy.Increase(found.Unusable(node), _terms.Typical.Workload.Unusable(node, after, _ask.Host));
    }

    /// <summary>Why the node cannot take the pod.</summary>
    public UnfitReasons Why(NodeUse node)
    {
        var found = node.Found(_terms.Typical);
        if (found.WhyUnfit(_shape) is { } known)
            return known;
        Span<int> refusals = stackalloc int[CardRefusals.Count];
        NodeFit.Reasons(_ask, node, _terms, _onlyAsking, _scratch, refusals);
        var why = _terms.Typical.Shared(node.Cards.Length, refusals);
        found.KeepWhy(_shape, why);
        return why;
    }
}
