extern alias api;

using api::Hami.Telemetry.V1;
using CsCheck;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Observing;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Observing;

/// <summary>What the log says, as far as telemetry asks.</summary>
internal sealed class LedgerOf(ClusterLedger ledger) : ILedgerReader
{
    public ClusterLedger Ledger { get; set; } = ledger;

    /// <summary>Nodes n0, n1 … with pods p0, p1 … each, whose UIDs are <c>node-pod</c>; every second pod is of namespace b, others of a.</summary>
    public static LedgerOf Pods(int nodes, int pods)
    {
        var ledger = ClusterLedger.Empty;
        for (var n = 0; n < nodes; n++)
            for (var p = 0; p < pods; p++)
                ledger = Placed(ledger, $"n{n}", $"n{n}-p{p}", p % 2 == 0 ? "a" : "b");
        return new(ledger);
    }

    private static ClusterLedger Placed(ClusterLedger ledger, string node, string uid, string @namespace) => ClusterLedger.Evolve(
        ledger, Streams.Node(node), default,
        new NodeEvent.AllocationPlaced(
            Guid.NewGuid(), uid, @namespace, uid, node, 1, [new(0, "main", false, $"GPU-{node}-0", 1000, 10)], new(0, 0, [], "binpack", "spread", 0, [])));
}

/// <summary>A process of the control plane, as far as it is concerned with telemetry.</summary>
internal sealed class TelemetryProcess : IAsyncDisposable
{
    public TelemetryProcess(string database, FakeTimeProvider clock, ILedgerReader ledger)
    {
        Live = new(ledger, clock);
        Rollups = new(Live, database, clock, NullLogger<TelemetryRollups>.Instance);
        Rows = new(database);
        Trends = new(Live, Rollups, Rows, clock);
        Clock = clock;
    }

    public LiveTelemetry Live { get; }

    public TelemetryRollups Rollups { get; }

    public TelemetryTrends Trends { get; }

    private Rows Rows { get; }

    private FakeTimeProvider Clock { get; }

    /// <summary>What it does every ten seconds.</summary>
    public Task WriteAsync() => Rollups.WriteAsync(Clock.GetUtcNow() - TelemetryLimits.Grace - TelemetryLimits.Period, CancellationToken.None);

    public Task<UsageTrend> TrendAsync(UsageOf of, DateTimeOffset from, DateTimeOffset to, int step, Scope? scope = null) =>
        Trends.ReadAsync(of, scope ?? Scope.Everything, from, to, step, error => throw error, CancellationToken.None);

    /// <summary>As a process ends that was asked to.</summary>
    public async ValueTask DisposeAsync()
    {
        await Rollups.StopAsync(CancellationToken.None);
        Kill();
    }

    /// <summary>As one ends that was not.</summary>
    public void Kill()
    {
        Rollups.Dispose();
        Rows.Dispose();
    }
}

/// <summary>Moments that nodes might tell of, and what is true of them by plain counting.</summary>
internal static class TelemetryGiven
{
    public static readonly DateTimeOffset Noon = new(2026, 11, 26, 12, 0, 0, TimeSpan.Zero);

    public static readonly Gen<Measured> AnyCard =
        from busy in Gen.Int[0, 100].Nullable()
        from memory in Gen.Long[0, 80L << 30].Nullable()
        from temperature in Gen.Int[-20, 95].Nullable()
        from power in Gen.Long[0, 700_000].Nullable()
        select new Measured(busy, memory, 80L << 30, temperature, power, null);

    public static readonly Gen<Measured> AnyShare = from busy in Gen.Int[0, 100] from memory in Gen.Long[0, 40L << 30] select new Measured(busy, memory);

    public static UseKey Card(string node, int index) => new($"GPU-{node}-{index}", "", "");

    public static UseKey Share(string node, int pod) => new($"GPU-{node}-0", $"{node}-p{pod}", "main");

    /// <summary>The report that tells these moments.</summary>
    public static ReportRequest Report(string node, params IEnumerable<HeardMoment> moments)
    {
        var report = new ReportRequest { Node = node };
        var (cards, shares) = (new List<UseKey>(), new List<UseKey>());
        foreach (var moment in moments)
        {
            var told = new Moment { UnixMs = moment.At.ToUnixTimeMilliseconds() };
            foreach (var (key, value) in moment.Values)
            {
                if (key.IsCard)
                    told.Cards.Add(CardSampleOf(value, Position(cards, key)));
                else
                    told.Shares.Add(ShareSampleOf(value, Position(shares, key)));
            }
            report.Moments.Add(told);
        }
        report.Cards.AddRange(cards.Select(c => new api::Hami.Telemetry.V1.Card { Uuid = c.DeviceUuid }));
        report.Shares.AddRange(shares.Select(s => new api::Hami.Telemetry.V1.Share { PodUid = s.PodUid, Container = s.Container, DeviceUuid = s.DeviceUuid }));
        return report;
    }

    /// <summary>A moment of one card.</summary>
    public static HeardMoment Moment(string node, DateTimeOffset at, Measured value) => new(at, [(Card(node, 0), value)]);

    private static uint Position(List<UseKey> keys, UseKey key)
    {
        var at = keys.IndexOf(key);
        if (at >= 0)
            return (uint)at;
        keys.Add(key);
        return (uint)(keys.Count - 1);
    }

    private static CardSample CardSampleOf(Measured value, uint position)
    {
        var sample = new CardSample { Card = position };
        if (value.Busy is { } busy)
            sample.Busy = (uint)busy;
        if (value.MemoryBytes is { } memory)
            sample.MemoryUsedBytes = (ulong)memory;
        if (value.MemoryTotalBytes is { } total)
            sample.MemoryTotalBytes = (ulong)total;
        if (value.TemperatureCelsius is { } temperature)
            sample.TemperatureCelsius = temperature;
        if (value.PowerMilliwatt is { } power)
            sample.PowerMilliwatt = (ulong)power;
        if (value.EnergyMillijoule is { } energy)
            sample.EnergyMillijoule = (ulong)energy;
        return sample;
    }

    private static ShareSample ShareSampleOf(Measured value, uint position)
    {
        var sample = new ShareSample { Share = position };
        if (value.Busy is { } busy)
            sample.Busy = (uint)busy;
        if (value.MemoryBytes is { } memory)
            sample.MemoryUsedBytes = (ulong)memory;
        return sample;
    }

    /// <summary>Points of a trend by plain counting over all moments; energy apart.</summary>
    /// <param name="told">Each moment once.</param>
    public static List<UsagePoint> Points(
        IEnumerable<(string Node, HeardMoment Moment)> told, Func<string, UseKey, bool> takes, bool ofShares, DateTimeOffset from, DateTimeOffset to, TimeSpan step, TimeSpan period)
    {
        var points = new List<UsagePoint>();
        for (var at = from; at < to; at += step)
        {
            var periods = new List<(double? Busy, double? Memory, double? Power, int? BusyMax, long? MemoryMax, int? Warmest, int Series)>();
            for (var begin = at; begin < at + step && begin < to; begin += period)
            {
                var within = told.Where(t => t.Moment.At >= begin && t.Moment.At < begin + period).ToList();
                var moments = within.GroupBy(t => t.Node).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
                var series = within.SelectMany(t => t.Moment.Values.Select(v => (t.Node, v.Key, v.Value))).Where(v => takes(v.Node, v.Key)).GroupBy(v => (v.Node, v.Key)).ToList();
                if (series.Count == 0)
                    continue;
                double? Part(IEnumerable<double?> values, string node) => ofShares ? values.Any(v => v is not null) ? values.Sum() / moments[node] : null : values.Average();
                double? Together(Func<Measured, double?> measure)
                {
                    var parts = series.Select(s => Part([.. s.Select(v => measure(v.Value))], s.Key.Node)).Where(p => p is not null).ToList();
                    return parts.Count == 0 ? null : parts.Sum();
                }
                var busy = series.Select(s => Part([.. s.Select(v => (double?)v.Value.Busy)], s.Key.Node)).Where(p => p is not null).ToList();
                var all = series.SelectMany(s => s).Select(v => v.Value).ToList();
                periods.Add((
                    busy.Count == 0 ? null : ofShares ? busy.Sum() : busy.Average(), Together(m => m.MemoryBytes), Together(m => m.PowerMilliwatt),
                    all.Max(m => m.Busy), all.Max(m => m.MemoryBytes), all.Max(m => m.TemperatureCelsius), series.Count));
            }
            points.Add(new(
                at, periods.Average(p => p.Busy), periods.Max(p => p.BusyMax), periods.Average(p => p.Memory) / (1 << 20), periods.Max(p => p.MemoryMax) / (double)(1 << 20),
                periods.Max(p => p.Warmest), periods.Average(p => p.Power) / 1000, null, periods.Count == 0 ? null : periods.Max(p => p.Series)));
        }
        return points;
    }

    /// <summary>Whether two trends say the same; sums of doubles are as exact as those are.</summary>
    public static void AssertSame(IReadOnlyList<UsagePoint> expected, IReadOnlyList<UsagePoint> actual)
    {
        Assert.Equal(expected.Count, actual.Count);
        foreach (var (e, a) in expected.Zip(actual))
        {
            Assert.Equal((e.At, e.BusyMax, e.TemperatureCelsius, e.Series), (a.At, a.BusyMax, a.TemperatureCelsius, a.Series));
            foreach (var (x, y) in new[] { (e.Busy, a.Busy), (e.MemoryUsedMiB, a.MemoryUsedMiB), (e.MemoryUsedMaxMiB, a.MemoryUsedMaxMiB), (e.PowerWatts, a.PowerWatts) })
            {
                Assert.Equal(x is null, y is null);
                Assert.True(x is null || Math.Abs(x.Value - y!.Value) <= 1e-9 * Math.Max(1, Math.Abs(x.Value)), $"{e} is not {a}");
            }
        }
    }
}
