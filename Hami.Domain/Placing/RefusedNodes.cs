using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>Nodes that were offered for a pod and none of which fits: each with its reasons, and all together.</summary>
/// <param name="Cards">Cards of all the nodes.</param>
/// <param name="Counts">Cards per reason over all nodes, in the order of the reason words.</param>
public sealed record RefusedNodes(IReadOnlyList<NodeUnfit> Nodes, int Cards, IReadOnlyList<RefusalCount> Counts)
{
    private const int MostExamples = 3;

    /// <summary>Looks again at nodes that do not fit, for the reasons.</summary>
    public static RefusedNodes Of(PodAsk ask, IReadOnlyList<NodeUse> nodes, QuotaRoom quota)
    {
        var only = NodeFit.OnlyAsking(ask, quota);
        var alike = new Dictionary<UInt128, UnfitReasons>();
        var unfit = new NodeUnfit[nodes.Count];
        var totals = new int[CardRefusals.Count];
        var examples = new List<string>?[CardRefusals.Count];
        var cards = 0;
        var scratch = new List<Share>();
        Span<int> refusals = stackalloc int[CardRefusals.Count];
        for (var i = 0; i < unfit.Length; i++)
        {
            var node = nodes[i];
            NodeFit.Reasons(ask, node, quota, only, scratch, refusals);
            cards += node.Cards.Length;
            for (var r = 0; r < refusals.Length; r++)
            {
                if (refusals[r] == 0)
                    continue;
                totals[r] += refusals[r];
                Remember(examples[r] ??= new(MostExamples + 1), node.Name);
            }
            unfit[i] = new(node.Name, Shared(alike, node.Cards.Length, refusals));
        }
        var counts = Enumerable.Range(0, totals.Length).Where(r => totals[r] > 0)
            .Select(r => new RefusalCount(((CardRefusal)r).ToString(), totals[r], examples[r]!))
            .OrderBy(r => r.Reason, StringComparer.Ordinal)
            .ToList();
        return new(unfit, cards, counts);
    }

    /// <summary>Thousands of nodes refuse in a few ways: the ways are put into words once.</summary>
    private static UnfitReasons Shared(Dictionary<UInt128, UnfitReasons> alike, int cards, ReadOnlySpan<int> refusals)
    {
        UInt128 key = (byte)cards;
        if (cards > byte.MaxValue)
            return UnfitReasons.From(cards, refusals);
        for (var r = 1; r < refusals.Length; r++)
            key = (key << 8) | (byte)refusals[r];
        if (!alike.TryGetValue(key, out var reasons))
            alike[key] = reasons = UnfitReasons.From(cards, refusals);
        return reasons;
    }

    /// <summary>The first by name, so that the order in which nodes are offered does not count.</summary>
    private static void Remember(List<string> examples, string node)
    {
        if (examples.Count == MostExamples && string.CompareOrdinal(node, examples[^1]) > 0)
            return;
        var at = examples.Count;
        while (at > 0 && string.CompareOrdinal(node, examples[at - 1]) < 0)
            at--;
        examples.Insert(at, node);
        if (examples.Count > MostExamples)
            examples.RemoveAt(MostExamples);
    }
}
