using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>Can one card serve one container? The checks stand in HAMi's order, so the first reason is the same.</summary>
internal static class Fit
{
    public static CardRefusal Refuses(ContainerAsk ask, CardWish wish, Card card, CardUse use)
    {
        if (!card.Healthy)
            return CardRefusal.CardNotHealth;
        if (!wish.AllowsType(card.Model))
            return CardRefusal.CardTypeMismatch;
        if (!wish.AllowsUuid(card.Uuid))
            return CardRefusal.CardUuidMismatch;
        if (use.Slots >= card.Slots)
            return CardRefusal.CardTimeSlicingExhausted;
        if (card.MemoryMiB - use.MemoryMiB < ask.NeedMiB(card.MemoryMiB))
            return CardRefusal.CardInsufficientMemory;
        if (card.Cores - use.Cores < ask.Cores)
            return CardRefusal.CardInsufficientCore;
        if (ask.Cores == 100 && use.Slots > 0)
            return CardRefusal.ExclusiveDeviceAllocateConflict;
        if (ask.Cores == 0 && card.Cores != 0 && use.Cores >= card.Cores)
            return CardRefusal.CardComputeUnitsExhausted;
        return CardRefusal.None;
    }
}
