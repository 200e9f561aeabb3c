using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>In which order the cards of a node are tried.</summary>
internal static class CardOrder
{
    /// <summary>The best card first; equal ones by higher index, as HAMi's walk from the end of its order does.</summary>
    public static void BestFirst(PodAsk ask, ContainerAsk container, NodeUse node, Terms terms, ReadOnlySpan<CardUse> uses, Span<int> order)
    {
        // Cards of one NUMA node must stand together, which only their own order knows.
        if (ask.Cards.LeastFragmenting && !ask.Wish.OneNuma)
        {
            terms.Typical.BestFirst(ask, container, node, uses, order);
            return;
        }
        var weights = ask.Weights ?? ScoringWeights.Equal;
        var count = order.Length;
        var scores = count <= NodeUse.CommonCards ? stackalloc double[count] : new double[count];
        for (var i = 0; i < count; i++)
            scores[i] = Score.Card(node.Cards[i], uses[i], container, weights);
        for (var i = 0; i < order.Length; i++)
        {
            // Insertion sort: a node has few cards, and nothing is allocated.
            var at = i;
            while (at > 0 && ComesBefore(ask, node.Cards, uses, scores, i, order[at - 1]))
            {
                order[at] = order[at - 1];
                at--;
            }
            order[at] = i;
        }
    }

    private static bool ComesBefore(
        PodAsk ask, ReadOnlySpan<Card> cards, ReadOnlySpan<CardUse> uses, ReadOnlySpan<double> scores, int a, int b)
    {
        if (ask.Wish.OneNuma)
        {
            var group = Compared(NumaGroups(ask.Cards), cards, uses, scores, a, b);
            if (group != 0)
                return group < 0;
        }
        for (var k = 0; k < ask.Cards.Keys.Count; k++)
        {
            var compared = Compared(ask.Cards.Keys[k], cards, uses, scores, a, b);
            if (compared != 0)
                return compared < 0;
        }
        return a > b;
    }

    private static CardKey NumaGroups(CardPolicy policy) => policy.Word == CardPolicy.Binpack.Word ? CardKey.LowestNuma : CardKey.HighestNuma;

    private static int Compared(
        CardKey key, ReadOnlySpan<Card> cards, ReadOnlySpan<CardUse> uses, ReadOnlySpan<double> scores, int a, int b) => key switch
    {
        CardKey.Fullest => scores[b].CompareTo(scores[a]),
        CardKey.Emptiest => scores[a].CompareTo(scores[b]),
        CardKey.LeastUsers => uses[a].Slots.CompareTo(uses[b].Slots),
        CardKey.HighestNuma => cards[b].Numa.CompareTo(cards[a].Numa),
        CardKey.LowestNuma => cards[a].Numa.CompareTo(cards[b].Numa),
        _ => throw new ArgumentOutOfRangeException(nameof(key), key, "Cards are not compared by this."),
    };
}
