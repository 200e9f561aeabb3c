namespace Hami.Bench.Placement;

/// <summary>Who arrives in one run, in order: the published protocol of the trace.</summary>
internal static class Arrivals
{
    /// <summary>How much of the cluster's cards is requested in the end.</summary>
    public const double Load = 1.3;

    /// <summary>
    /// The pods in order of their names, shuffled by the seed, then pods drawn again at random until <see cref="Load"/> times the
    /// capacity is requested.
    /// </summary>
    public static IReadOnlyList<TracePod> Of(IReadOnlyList<TracePod> pods, long capacityMilli, int seed)
    {
        var chance = new Random(seed);
        var byName = pods.OrderBy(p => p.Name, StringComparer.Ordinal).ToArray();
        var arriving = byName.ToArray();
        chance.Shuffle(arriving);
        var all = new List<TracePod>(arriving);
        var requested = all.Sum(p => p.AllMilli);
        while (requested < Load * capacityMilli)
        {
            all.Add(byName[chance.Next(byName.Length)]);
            requested += all[^1].AllMilli;
        }
        return all;
    }
}
