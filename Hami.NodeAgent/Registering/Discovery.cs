using System.Collections.Immutable;
using Hami.Domain.Protocol;
using Hami.NodeAgent.Plumbing.Settings;

namespace Hami.NodeAgent.Registering;

/// <summary>Which of the cards that NVML sees are shared, and as what.</summary>
internal static class Discovery
{
    /// <summary>The cards in NVML's order, and one sentence on each that is left out.</summary>
    public static (ImmutableArray<Card> Cards, ImmutableArray<string> LeftOut) Cards(IEnumerable<SeenCard> seen, NodeSettings settings)
    {
        var cards = ImmutableArray.CreateBuilder<Card>();
        var leftOut = ImmutableArray.CreateBuilder<string>();
        foreach (var card in seen.OrderBy(c => c.Index).Where(c => !settings.Hidden.Has(c.Uuid, c.Index)))
        {
            // The display's card of a DGX Station computes nothing.
            if (card.Name is "DGX Display" or "NVIDIA DGX Display")
                continue;
            if (WhyNot(card, settings) is { } reason)
                leftOut.Add($"The card {card.Uuid} ({card.Name}) is not shared: {reason}");
            else
                cards.Add(new(card.Uuid, card.Name, MemoryMiB(card, settings), card.Numa, Healthy: true, IsMig(card, settings) ? Profiles(card, settings) : null)
                {
                    Index = card.Index,
                    Minor = card.Minor,
                });
        }
        return (cards.ToImmutable(), leftOut.ToImmutable());
    }

    /// <summary>Without those that the node's settings hide.</summary>
    public static ImmutableArray<Card> Visible(ImmutableArray<Card> cards, NodeSettings settings) =>
        cards.RemoveAll(c => settings.Hidden.Has(c.Uuid, c.Index));

    private static string? WhyNot(SeenCard card, NodeSettings settings)
    {
        if (MemoryMiB(card, settings) <= 0)
            return "it does not tell its memory; set preConfiguredDeviceMemory to the MiB it may share.";
        if (settings.OperatingMode is "mig" && !card.InMigMode)
            return $"this node's operatingmode is mig, but the card is not in MIG mode; switch it on with nvidia-smi -i {card.Index} -mig 1, or change operatingmode.";
        if (!card.InMigMode)
            return null;
        // Others made its instances, or will, and they are published in its place.
        if (settings.MigStrategy is not MigStrategy.None)
            return "it is in MIG mode, and the MIG strategy publishes its instances in its place.";
        if (settings.OperatingMode is "hami-core" or "mps")
            return $"it is in MIG mode, but this node's operatingmode is {settings.OperatingMode}; switch it off with nvidia-smi -i {card.Index} -mig 0, or set operatingmode to mig.";
        if (settings.MigProfiles.Of(card.Name) is null)
            return "it is in MIG mode, but no entry of migProfileAllowlist names its model; add one.";
        return Profiles(card, settings) is null
            ? "it is in MIG mode, but the driver offers none of the profiles that migProfileAllowlist has for its model; list those that nvidia-smi mig -lgip shows."
            : null;
    }

    private static bool IsMig(SeenCard card, NodeSettings settings) => card.InMigMode && settings.OperatingMode is null or "mig";

    private static long MemoryMiB(SeenCard card, NodeSettings settings) =>
        card.MemoryBytes is { } bytes and > 0 ? (long)(bytes / 1024 / 1024) : settings.PreConfiguredMemoryMiB;

    private static MigProfiles? Profiles(SeenCard card, NodeSettings settings)
    {
        var most = card.Profiles.Select(p => p.Multiprocessors).DefaultIfEmpty().Max();
        var profiles =
            from name in settings.MigProfiles.Of(card.Name) ?? []
            from profile in card.Profiles
            where name.StartsWith($"{profile.Slices}g.", StringComparison.Ordinal) && profile.Placements.Length > 0
            select new PublishedMigProfile
            {
                Name = name,
                MemoryMiB = profile.MemoryMiB,
                Cores = Percent(profile.Multiprocessors, most),
                Slices = profile.Slices,
                Placements = [.. profile.Placements.Select(p => new PublishedMigPlacement { Start = p.Start, Size = p.Size })],
            };
        return profiles.ToList() is { Count: > 0 } found ? new(found) : null;
    }

    // Rounded up, so that seven sevenths are never more than a pod that asks for a seventh believes.
    private static int Percent(int multiprocessors, int most) => most <= 0 ? 100 : (100 * multiprocessors + most - 1) / most;
}
