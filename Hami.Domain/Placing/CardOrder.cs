using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>In which order the cards of a node are tried.</summary>
internal static class CardOrder
{
    /// <summary>The best card first; equal ones by higher index, as HAMi's walk from the end of its order does.</summary>
    public static void BestFirst(PodAsk ask, ContainerAsk container, ReadOnlySpan<Card> cards, ReadOnlySpan<CardUse> uses, Span<int> order)
    {
        var weights = ask.Weights ?? ScoringWeights.Equal;
        for (var i = 0; i < order.Length; i++)
        {
            // Insertion sort: a node has few cards, and nothing is allocated.
            var at = i;
            while (at > 0 && ComesBefore(ask, weights, container, cards, uses, i, order[at - 1]))
            {
                order[at] = order[at - 1];
                at--;
            }
            order[at] = i;
        }
    }

    private static bool ComesBefore(
        PodAsk ask, ScoringWeights weights, ContainerAsk container, ReadOnlySpan<Card> cards, ReadOnlySpan<CardUse> uses, int a, int b)
    {
        if (ask.Wish.OneNuma)
        {
            var group = Compared(NumaGroups(ask.Cards), weights, container, cards, uses, a, b);
            if (group != 0)
                return group < 0;
        }
        for (var k = 0; k < ask.Cards.Keys.Count; k++)
        {
            var compared = Compared(ask.Cards.Keys[k], weights, container, cards, uses, a, b);
            if (compared != 0)
                return compared < 0;
        }
        return a > b;
    }

    private static CardKey NumaGroups(CardPolicy policy) => policy.Word == CardPolicy.Binpack.Word ? CardKey.LowestNuma : CardKey.HighestNuma;

    private static int Compared(
        CardKey key, ScoringWeights weights, ContainerAsk container, ReadOnlySpan<Card> cards, ReadOnlySpan<CardUse> uses, int a, int b) => key switch
    {
        CardKey.Fullest => Score.Card(cards[b], uses[b], container, weights).CompareTo(Score.Card(cards[a], uses[a], container, weights)),
        CardKey.Emptiest => Score.Card(cards[a], uses[a], container, weights).CompareTo(Score.Card(cards[b], uses[b], container, weights)),
        CardKey.LeastUsers => uses[a].Slots.CompareTo(uses[b].Slots),
        CardKey.HighestNuma => cards[b].Numa.CompareTo(cards[a].Numa),
        CardKey.LowestNuma => cards[a].Numa.CompareTo(cards[b].Numa),
        _ => throw new ArgumentOutOfRangeException(nameof(key), key, "Cards are not compared by this."),
    };
}
