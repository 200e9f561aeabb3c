using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>Can one card serve one container? The checks stand in HAMi's order, so the first reason is the same.</summary>
internal static class Fit
{
    /// <summary>What speaks against the card before its NUMA node is looked at.</summary>
    public static CardRefusal RefusesKind(CardWish wish, Card card, bool isCordoned) =>
        !card.Healthy ? CardRefusal.CardNotHealth
        : isCordoned ? CardRefusal.CardCordoned
        : !wish.AllowsType(card) ? CardRefusal.CardTypeMismatch
        : CardRefusal.None;

    /// <summary>What speaks against the card's identity and its users, before the namespace's quota is looked at.</summary>
    public static CardRefusal RefusesUse(PodAsk ask, Card card, CardUse use) =>
        !ask.Wish.AllowsUuid(card.Uuid) ? CardRefusal.CardUuidMismatch
        : use.Slots >= card.Slots ? CardRefusal.CardTimeSlicingExhausted
        : ask.Cards.IdleOnly && use.Slots > 0 ? CardRefusal.ExclusiveDeviceAllocateConflict
        : CardRefusal.None;

    /// <summary>What the card lacks.</summary>
    public static CardRefusal RefusesSize(ContainerAsk ask, Card card, CardUse use, long needMiB)
    {
        if (card.MemoryMiB - use.MemoryMiB < needMiB)
            return CardRefusal.CardInsufficientMemory;
        // A card held whole has nothing left, also where scaling registered more cores than it has.
        var freeCores = use.Whole > 0 ? 0 : card.Cores - use.Cores;
        if (freeCores < ask.Cores)
            return CardRefusal.CardInsufficientCore;
        if (ask.Cores == ContainerAsk.WholeCard && use.Slots > 0)
            return CardRefusal.ExclusiveDeviceAllocateConflict;
        if (ask.Cores == 0 && (use.Whole > 0 || (card.Cores != 0 && use.Cores >= card.Cores)))
            return CardRefusal.CardComputeUnitsExhausted;
        return CardRefusal.None;
    }
}
