using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>What a card has left, packed so that a walk over thousands of nodes stays within the processor's caches.</summary>
internal readonly record struct CardRoom(long FreeMiB, long MemoryMiB, int FreeSlots, int FreeCores, CardTraits Traits)
{
    public static CardRoom Of(Card card, CardUse use, bool isCordoned) => new(
        card.MemoryMiB - use.MemoryMiB, card.MemoryMiB, card.Slots - use.Slots, use.Whole > 0 ? 0 : card.Cores - use.Cores,
        (card.Healthy && !isCordoned ? CardTraits.Open : CardTraits.None)
        | (use.Slots == 0 ? CardTraits.Idle : CardTraits.None)
        | (use.Whole > 0 || (card.Cores != 0 && use.Cores >= card.Cores) ? CardTraits.CoresExhausted : CardTraits.None));

    /// <summary>Does the card serve the container, whatever its model, UUID and mode? The same checks as <see cref="Fit"/>, MIG aside.</summary>
    public bool Serves(ContainerAsk ask, bool idleOnly) =>
        Has(CardTraits.Open)
        && FreeSlots > 0
        && FreeMiB >= ask.NeedMiB(MemoryMiB)
        && FreeCores >= ask.Cores
        && (Has(CardTraits.Idle) || (!idleOnly && ask.Cores != ContainerAsk.WholeCard))
        && (ask.Cores != 0 || !Has(CardTraits.CoresExhausted));

    private bool Has(CardTraits trait) => (Traits & trait) == trait;
}

[Flags]
internal enum CardTraits
{
    None = 0,

    /// <summary>Healthy and not cordoned.</summary>
    Open = 1,

    /// <summary>Nobody uses it.</summary>
    Idle = 2,

    /// <summary>All its cores are reserved.</summary>
    CoresExhausted = 4,
}
