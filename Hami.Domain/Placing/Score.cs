using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>How full a card or a node is: 10 × the sum of the used parts of slots, cores and memory, so 0 to 30 without oversubscription.</summary>
internal static class Score
{
    /// <summary>The card as it would be with one more share of this container.</summary>
    public static double Card(Card card, CardUse use, ContainerAsk ask, ScoringWeights weights)
    {
        if (card.Slots == 0 || card.Cores == 0 || card.MemoryMiB == 0)
            return 0;
        return 10 * ((weights.Slot * (double)(use.Slots + 1) / card.Slots)
            + (weights.Core * (double)(use.Cores + ask.Cores) / card.Cores)
            + (weights.Memory * (double)(use.MemoryMiB + ask.NeedMiB(card.MemoryMiB)) / card.MemoryMiB));
    }

    /// <summary>The node before this pod.</summary>
    public static double Node(NodeUse node)
    {
        long slots = 0, cores = 0, memory = 0;
        var used = default(CardUse);
        for (var i = 0; i < node.Cards.Length; i++)
        {
            slots += node.Cards[i].Slots;
            cores += node.Cards[i].Cores;
            memory += node.Cards[i].MemoryMiB;
            used += node.Uses[i];
        }
        if (slots == 0 || cores == 0 || memory == 0)
            return 0;
        return 10 * (((double)used.Slots / slots) + ((double)used.Cores / cores) + ((double)used.MemoryMiB / memory));
    }
}
