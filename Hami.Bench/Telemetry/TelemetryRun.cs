extern alias api;

using System.Diagnostics;
using Google.Protobuf;
using Hami.Api.Observing;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Wire = api::Hami.Telemetry.V1;

namespace Hami.Bench.Telemetry;

/// <summary>Plays the agents of a cluster for five minutes, as fast as the control plane takes it.</summary>
internal sealed class TelemetryRun(int nodes, int devices, int shares)
{
    private const int Rounds = 30; // of ten seconds: a period
    private static readonly DateTimeOffset Start = new(2026, 11, 26, 12, 0, 0, TimeSpan.Zero);
    private readonly Random _random = new(7);

    public async Task<TelemetryReport> MeasureAsync(CancellationToken cancellationToken)
    {
        await using var postgres = await TemporaryPostgres.StartAsync(cancellationToken);
        await using var database = NpgsqlDataSource.Create(postgres.ConnectionString);
        var clock = new Clock { Now = Start };
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var live = new LiveTelemetry(new Ledger(Placed()), clock);
        using var rollups = new TelemetryRollups(live, postgres.ConnectionString, clock, NullLogger<TelemetryRollups>.Instance);
        var empty = GC.GetTotalMemory(forceFullCollection: true);

        var (took, bytes) = (new List<double>(nodes * Rounds), 0);
        for (var round = 0; round < Rounds; round++)
        {
            for (var node = 0; node < nodes; node++)
            {
                var sent = Report(node, clock.Now).ToByteArray();
                bytes = sent.Length;
                var from = Stopwatch.GetTimestamp();
                live.Hear(Wire.ReportRequest.Parser.ParseFrom(sent));
                took.Add(Stopwatch.GetElapsedTime(from).TotalMicroseconds);
            }
            clock.Now += TimeSpan.FromSeconds(10);
        }
        var filled = GC.GetTotalMemory(forceFullCollection: true);
        var series = live.SeriesCount;

        clock.Now = Start.AddMinutes(6);
        var writing = Stopwatch.GetTimestamp();
        await rollups.WriteAsync(DateTimeOffset.MaxValue, cancellationToken);
        var wrote = Stopwatch.GetElapsedTime(writing);
        var written = GC.GetTotalMemory(forceFullCollection: true);
        var size = await AskAsync<long>(database, "select sum(pg_total_relation_size(c.oid))::bigint from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'hami_telemetry' and c.relkind = 'r'");
        var rows = (int)await AskAsync<long>(database, "select (select count(*) from hami_telemetry.card_use) + (select count(*) from hami_telemetry.share_use)");
        var adding = Stopwatch.GetTimestamp();
        await TelemetryTotals.AddUpAsync(database, Start.AddHours(1), cancellationToken);
        var added = Stopwatch.GetElapsedTime(adding);

        took.Sort();
        GC.KeepAlive(live);
        return new(
            nodes, devices, shares, bytes, took.Count / (took.Sum() / 1e6), took[(int)(took.Count * 0.99)], (double)(written - empty) / series, series, (filled - before) / 1048576.0,
            rows, wrote.TotalSeconds, (double)size / rows, (double)size * 288 * 30 / (1L << 30), added.TotalMilliseconds);
    }

    private static async Task<T> AskAsync<T>(NpgsqlDataSource database, string sql)
    {
        await using var command = database.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    private ClusterLedger Placed()
    {
        var ledger = ClusterLedger.Empty;
        for (var node = 0; node < nodes; node++)
        {
            for (var share = 0; share < shares; share++)
            {
                ledger = ClusterLedger.Evolve(
                    ledger, Streams.Node(Name(node)), default,
                    new NodeEvent.AllocationPlaced(
                        Guid.NewGuid(), Pod(node, share), $"team-{share % 20}", $"pod-{share}", Name(node), 1, [new(0, "main", false, Card(node, share % devices), 1000, 10)],
                        new(0, 0, [], "binpack", "spread", 0, [])));
            }
        }
        return ledger;
    }

    private Wire.ReportRequest Report(int node, DateTimeOffset at)
    {
        var report = new Wire.ReportRequest { Node = Name(node) };
        report.Cards.AddRange(Enumerable.Range(0, devices).Select(c => new Wire.Card { Uuid = Card(node, c) }));
        report.Shares.AddRange(Enumerable.Range(0, shares).Select(s => new Wire.Share { PodUid = Pod(node, s), Container = "main", DeviceUuid = Card(node, s % devices) }));
        for (var second = 0; second < 10; second += 5)
        {
            var moment = new Wire.Moment { UnixMs = at.AddSeconds(second).ToUnixTimeMilliseconds() };
            moment.Cards.AddRange(Enumerable.Range(0, devices).Select(c => new Wire.CardSample
            {
                Card = (uint)c, Busy = (uint)_random.Next(101), MemoryUsedBytes = (ulong)_random.NextInt64(80L << 30), MemoryTotalBytes = 80UL << 30, TemperatureCelsius = 40 + _random.Next(40),
                PowerMilliwatt = (ulong)_random.Next(700_000), EnergyMillijoule = (ulong)(at - Start).TotalSeconds * 300_000,
            }));
            moment.Shares.AddRange(Enumerable.Range(0, shares).Select(s => new Wire.ShareSample { Share = (uint)s, Busy = (uint)_random.Next(101), MemoryUsedBytes = (ulong)_random.NextInt64(10L << 30) }));
            report.Moments.Add(moment);
        }
        return report;
    }

    private static string Name(int node) => $"node-{node:D5}";

    private static string Card(int node, int card) => $"GPU-{node:x8}-0000-4000-8000-{card:x12}";

    private static string Pod(int node, int share) => $"{node:x8}-0000-4000-9000-{share:x12}";

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; }

        public override DateTimeOffset GetUtcNow() => Now;
    }

    private sealed class Ledger(ClusterLedger ledger) : ILedgerReader
    {
        ClusterLedger ILedgerReader.Ledger => ledger;
    }
}
