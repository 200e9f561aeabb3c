using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>Which MIG instance of a card serves a container?</summary>
internal static class MigFit
{
    /// <summary>Device memory in MiB that an instance must have; all of the card means the largest instance there is.</summary>
    public static long NeedMiB(ContainerAsk ask, Card card)
    {
        var need = ask.NeedMiB(card.MemoryMiB);
        if (ask.MemoryMiB > 0 || ask.MemoryPercent < 100 || card.MigProfiles is not { Count: > 0 } profiles)
            return need;
        // NVML gives the largest instance a little less than the card.
        return Math.Min(need, profiles.Max(p => p.MemoryMiB));
    }

    /// <summary>The smallest profile with enough memory that has a free place, and that place; null when there is none.</summary>
    public static (MigProfile Profile, MigPlacement Placement)? Choose(Card card, ulong taken, long needMiB)
    {
        (MigProfile Profile, MigPlacement Placement)? chosen = null;
        foreach (var profile in card.MigProfiles ?? [])
        {
            if (profile.MemoryMiB < needMiB || (chosen is { } best && !IsSmaller(profile, best.Profile)))
                continue;
            if (FreePlace(profile, taken) is { } place)
                chosen = (profile, place);
        }
        return chosen;
    }

    private static bool IsSmaller(MigProfile a, MigProfile b) =>
        a.MemoryMiB != b.MemoryMiB ? a.MemoryMiB < b.MemoryMiB : a.Slices < b.Slices;

    /// <summary>HAMi fills the places of 1g and 3g from the end and all others from the beginning, so that they stay out of each other's way.</summary>
    private static MigPlacement? FreePlace(MigProfile profile, ulong taken)
    {
        var fromTheEnd = profile.Name.StartsWith("1g.", StringComparison.Ordinal) || profile.Name.StartsWith("3g.", StringComparison.Ordinal);
        MigPlacement? free = null;
        foreach (var place in profile.Placements)
        {
            if ((place.Mask & taken) == 0 && (free is null || (fromTheEnd ? place.Start > free.Start : place.Start < free.Start)))
                free = place;
        }
        return free;
    }
}
