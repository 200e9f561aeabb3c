using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>Nodes that were offered for a pod and none of which fits: each with its reasons, and all together.</summary>
/// <param name="Cards">Cards of all the nodes.</param>
/// <param name="Counts">Cards per reason over all nodes, in the order of the reason words.</param>
public sealed record RefusedNodes(ImmutableArray<NodeUnfit> Nodes, int Cards, IReadOnlyList<RefusalCount> Counts)
{
    private const int MostExamples = 3;

    /// <summary>Looks again at nodes that do not fit, for the reasons.</summary>
    public static RefusedNodes Of(PodAsk ask, IReadOnlyList<NodeUse> nodes, Terms terms)
    {
        var costs = new NodeCosts(ask, terms);
        var unfit = new NodeUnfit[nodes.Count];
        var totals = new int[CardRefusals.Count];
        var examples = new List<string>?[CardRefusals.Count];
        var cards = 0;
        UnfitReasons? before = null;
        var run = 0;
        for (var i = 0; i < unfit.Length; i++)
        {
            var why = costs.Why(nodes[i]);
            unfit[i] = new(nodes[i].Name, why);
            // Nodes in a row often refuse alike: they are added up together.
            if (!ReferenceEquals(why, before))
            {
                Add(before, run);
                (before, run) = (why, 0);
            }
            run++;
            foreach (var (reason, _) in why.Counts)
                Remember(examples[(int)reason] ??= new(MostExamples + 1), nodes[i].Name);
        }
        Add(before, run);
        var counts = Enumerable.Range(0, totals.Length).Where(r => totals[r] > 0)
            .Select(r => new RefusalCount(((CardRefusal)r).ToString(), totals[r], examples[r]!))
            .OrderBy(r => r.Reason, StringComparer.Ordinal)
            .ToList();
        return new(ImmutableCollectionsMarshal.AsImmutableArray(unfit), cards, counts);

        void Add(UnfitReasons? reasons, int times)
        {
            if (reasons is null)
                return;
            cards += times * reasons.Cards;
            foreach (var (reason, count) in reasons.Counts)
                totals[(int)reason] += times * count;
        }
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
