using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Domain.Observing;

/// <summary>How much of a pod's annotations is believed: what its spec asks, on cards that its node has.</summary>
/// <remarks>
/// Whoever writes a pod can write its annotations, but admission and quotas look at what it asks. What is beyond that is left out,
/// and the rest taken: to refuse the pod would leave uncounted what it really holds, and give that away a second time.
/// </remarks>
internal static class ForeignBounds
{
    // A list may have thousands of entries, and the sentence stands in the log for ever.
    private const int MostReasons = 3;

    /// <summary>The shares that count.</summary>
    /// <param name="cards">Cards of the node the pod is on.</param>
    /// <returns>With what was left out, in words; empty for nothing.</returns>
    public static (IReadOnlyList<Share> Taken, string Left) Of(ForeignShares found, IReadOnlyList<Card> cards)
    {
        var taken = new List<Share>();
        var left = new List<string>();
        var counts = new int[found.Asks.Count];
        foreach (var share in found.Shares)
        {
            var ask = found.Asks[share.ContainerIndex];
            if (ask.Count == 0)
                left.Add($"cards of container {share.Container}, which asks for none");
            else if (cards.FirstOrDefault(c => c.Uuid == share.DeviceUuid) is not { } card)
                left.Add($"card {PodAskParser.Excerpt(share.DeviceUuid)}, which the node does not have");
            else if (++counts[share.ContainerIndex] > ask.Count)
                left.Add($"cards of container {share.Container} beyond the {ask.Count} that it asks for");
            else
                taken.Add(Within(share, ask, card, left));
        }
        return (taken, Sentence([.. left.Distinct(StringComparer.Ordinal)]));
    }

    private static Share Within(Share share, ContainerAsk ask, Card card, List<string> left)
    {
        var (memoryMiB, cores) = (ask.NeedMiB(card.MemoryMiB), ask.Cores);
        // On a card that is not cut there are no instances; one that the card cannot have is somewhere, nobody knows where.
        MigSlice? mig = null;
        if (card.IsMig && share.Mig is { } slice)
        {
            var profile = card.MigProfiles?.FirstOrDefault(p => p.Name == slice.Profile && p.Placements.Contains(new(slice.Start, slice.Size)));
            mig = profile is null ? ForeignShares.WholeCard : slice;
            // An instance may be larger than what was asked for.
            (memoryMiB, cores) = (Math.Max(memoryMiB, profile?.MemoryMiB ?? 0), Math.Max(cores, profile?.Cores ?? 0));
        }
        if (share.MemoryMiB > memoryMiB)
            left.Add($"memory of card {share.DeviceUuid} beyond the {memoryMiB} MiB that container {share.Container} asks for");
        if (share.Cores > cores)
            left.Add($"cores of card {share.DeviceUuid} beyond the {cores} that container {share.Container} asks for");
        return share with { MemoryMiB = Math.Min(share.MemoryMiB, memoryMiB), Cores = Math.Min(share.Cores, cores), Mig = mig };
    }

    private static string Sentence(List<string> left) =>
        string.Join("; ", left.Take(MostReasons)) + (left.Count > MostReasons ? $"; and {left.Count - MostReasons} more" : "");
}
