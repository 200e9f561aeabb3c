using System.Collections.Immutable;
using Hami.Domain.Ledger;

namespace Hami.Domain.Placing.Fragmentation;

/// <summary>What the asks of the log, folded in its order, tell about the typical workload.</summary>
/// <remarks>
/// A pod counts once however often it is tried. Bounded: when another kind comes than there is room for, it takes the place and the
/// count of the rarest (the space-saving algorithm, Metwally et al. 2005). Older asks fade: at every <see cref="Window"/> all counts are halved.
/// </remarks>
public sealed record LearnedWorkload
{
    /// <summary>Most kinds that are told apart.</summary>
    public const int MostKinds = 256;

    /// <summary>Asks after which what came before counts half.</summary>
    public const int Window = 8192;

    // The assumed workload counts as this many asks, so that the first few do not decide everything.
    private const double AssumedAsks = 16;

    private const long FirstNews = 8;

    public static readonly LearnedWorkload Empty = new();

    private LearnedWorkload() { }

    /// <summary>Asks folded so far.</summary>
    public long Asks { get; private init; }

    private ImmutableDictionary<WorkloadKind, int> Counts { get; init; } = ImmutableDictionary<WorkloadKind, int>.Empty;

    /// <summary>True when enough has come since that many asks: after 8, 16, 32, … of them, and from <see cref="Window"/> on every so many.</summary>
    public bool IsNewsSince(long asks) => Asks >= Math.Max(FirstNews, asks + Math.Min(asks, Window));

    internal static LearnedWorkload Of(LearnedSnapshot snapshot) =>
        new() { Asks = snapshot.Asks, Counts = snapshot.Kinds.ToImmutableDictionary(k => k.Kind, k => k.Count) };

    internal LearnedSnapshot ToSnapshot() =>
        new(Asks, [.. Counts.OrderBy(c => c.Key.ToString(), StringComparer.Ordinal).Select(c => new CountedKind(c.Key, c.Value))]);

    public LearnedWorkload With(WorkloadKind kind)
    {
        ArgumentNullException.ThrowIfNull(kind);
        var counts = Counts;
        if (counts.TryGetValue(kind, out var count))
        {
            counts = counts.SetItem(kind, count + 1);
        }
        else if (counts.Count < MostKinds)
        {
            counts = counts.Add(kind, 1);
        }
        else
        {
            var rarest = counts.MinBy(c => (c.Value, c.Key.ToString()));
            counts = counts.Remove(rarest.Key).Add(kind, rarest.Value + 1);
        }
        var asks = Asks + 1;
        if (asks % Window == 0)
            counts = counts.Select(c => KeyValuePair.Create(c.Key, c.Value / 2)).Where(c => c.Value > 0).ToImmutableDictionary();
        return new() { Asks = asks, Counts = counts };
    }

    /// <summary>The mix, most frequent kinds first.</summary>
    public WorkloadMix Mix()
    {
        var assumed = AssumedAsks / WorkloadMix.Assumed.Kinds.Sum(k => k.Weight);
        return new(
        [
            .. Counts.Select(c => new WorkloadWeight(c.Key, c.Value))
                .Concat(WorkloadMix.Assumed.Kinds.Select(k => k with { Weight = k.Weight * assumed }))
                .GroupBy(k => k.Kind)
                .Select(g => new WorkloadWeight(g.Key, g.Sum(k => k.Weight)))
                .OrderByDescending(k => k.Weight).ThenBy(k => k.Kind.ToString(), StringComparer.Ordinal),
        ]);
    }
}
