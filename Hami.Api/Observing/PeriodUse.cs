namespace Hami.Api.Observing;

/// <summary>What some cards, or shares, did in one period; see <see cref="UsagePoint"/>, which has it in other units.</summary>
internal sealed record PeriodUse(
    DateTimeOffset At, double? Busy, long? BusyMax, double? MemoryBytes, long? MemoryMax, long? Temperature, double? Milliwatt, double? Millijoule, long Series)
{
    /// <summary>Adds the rows of one period up, as <see cref="TelemetryTrends"/> has PostgreSQL do it.</summary>
    /// <param name="before">The energy counter of a card at the end of the period before; null where that is not known.</param>
    public static PeriodUse OfCards(DateTimeOffset at, IReadOnlyCollection<UseRow> rows, Func<UseRow, long?> before) => new(
        at,
        rows.Average(r => r.Sums.Busy.Average), Max(rows, s => s.Busy), Together(rows.Select(r => r.Sums.Memory.Average)), Max(rows, s => s.Memory),
        Max(rows, s => s.Temperature), Together(rows.Select(r => r.Sums.Power.Average)), Together(rows.Select(r => (double?)r.Sums.Energy.Rise(before(r)))), rows.Count);

    /// <summary>The same of shares: one that was there for half the period counts half.</summary>
    public static PeriodUse OfShares(DateTimeOffset at, IReadOnlyCollection<UseRow> rows) => new(
        at,
        Together(rows.Select(r => Part(r.Sums.Busy, r.Sums.Moments))), Max(rows, s => s.Busy), Together(rows.Select(r => Part(r.Sums.Memory, r.Sums.Moments))), Max(rows, s => s.Memory),
        null, null, null, rows.Count);

    /// <summary>Puts periods into steps: one point for each step, whether or not something is known of it.</summary>
    public static IReadOnlyList<UsagePoint> Points(IEnumerable<PeriodUse> periods, DateTimeOffset from, DateTimeOffset to, TimeSpan step)
    {
        var steps = periods.ToLookup(p => (p.At - from).Ticks / step.Ticks);
        var points = new List<UsagePoint>();
        for (var at = from; at < to; at += step)
        {
            var within = steps[(at - from).Ticks / step.Ticks].ToList();
            points.Add(new(
                at, within.Average(p => p.Busy), (int?)within.Max(p => p.BusyMax), within.Average(p => p.MemoryBytes) / Usage.BytesOfMiB, within.Max(p => p.MemoryMax) / Usage.BytesOfMiB,
                (int?)within.Max(p => p.Temperature), within.Average(p => p.Milliwatt) / 1000, Together(within.Select(p => p.Millijoule)) / 1000,
                within.Count == 0 ? null : (int)within.Max(p => p.Series)));
        }
        return points;
    }

    private static double? Part(Sum sum, int moments) => sum.Count == 0 || moments == 0 ? null : (double)sum.Total / moments;

    private static long? Max(IEnumerable<UseRow> rows, Func<UseSums, Sum> measure) =>
        rows.Select(r => measure(r.Sums)).Where(s => s.Count > 0).Select(s => (long?)s.Max).Max();

    /// <summary>The sum of those that are known; null where none is.</summary>
    private static double? Together(IEnumerable<double?> values) => values.Aggregate((double?)null, (sum, v) => v is null ? sum : (sum ?? 0) + v);
}
