using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>In which order the cards of a node are tried.</summary>
internal static class CardOrder
{
    /// <summary>
    /// Fullest first for binpack, emptiest first for spread; then the higher NUMA node, then the higher index, as HAMi's walk
    /// from the end of its order does.
    /// </summary>
    public static void BestFirst(Packing packing, ContainerAsk ask, ReadOnlySpan<Card> cards, ReadOnlySpan<CardUse> uses, Span<int> order)
    {
        for (var i = 0; i < order.Length; i++)
        {
            // Insertion sort: a node has few cards, and nothing is allocated.
            var at = i;
            while (at > 0 && ComesBefore(packing, ask, cards, uses, i, order[at - 1]))
            {
                order[at] = order[at - 1];
                at--;
            }
            order[at] = i;
        }
    }

    private static bool ComesBefore(Packing packing, ContainerAsk ask, ReadOnlySpan<Card> cards, ReadOnlySpan<CardUse> uses, int a, int b)
    {
        var score = Score.Card(cards[a], uses[a], ask).CompareTo(Score.Card(cards[b], uses[b], ask));
        if (score != 0)
            return packing is Packing.Binpack ? score > 0 : score < 0;
        var numa = cards[a].Numa.CompareTo(cards[b].Numa);
        return numa != 0 ? numa > 0 : a > b;
    }
}
