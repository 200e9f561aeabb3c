using System.Diagnostics;
using System.Globalization;
using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Hami.Api.Replaying;
using Hami.Domain.Reading;
using Marten;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Hami.Bench.History;

/// <summary>Fills a ledger with a long history, or takes one that was kept, and asks it.</summary>
internal sealed class HistoryRun(int allocations, int nodes, Action<string> tell)
{
    private const int Seed = 5;
    private const int Questions = 300;
    private const int Moments = 40;
    private const int ReadForTheFloor = 200_000;

    public async Task<HistoryReport> MeasureAsync(TemporaryPostgres postgres, CancellationToken ct)
    {
        await using var database = NpgsqlDataSource.Create(postgres.ConnectionString);
        var fill = await IsEmptyAsync(database, ct) ? await FillAsync(database, postgres.ConnectionString, ct) : (double?)null;

        tell("Building the read models");
        var built = await new ReadModelsBuild(database, new StoredEvents(), NullLogger<ReadModelsBuild>.Instance).RebuildAsync(ct);
        tell(string.Create(CultureInfo.InvariantCulture, $"{built.Events} events in {built.Seconds:F1} s; reading the same without writing"));
        var counted = await PerSecondAsync(built.Events, () => ScalarAsync(database, $"select count(*) from {MartenSetup.Schema}.mt_events", ct));
        var copied = await PerSecondAsync(Math.Min(built.Events, ReadForTheFloor), () => CopyOutAsync(database, ct));
        var read = await PerSecondAsync(Math.Min(built.Events, ReadForTheFloor), () => ReadAsync(database, null, ct));
        var folded = await PerSecondAsync(Math.Min(built.Events, ReadForTheFloor), () => ReadAsync(database, new(OpenRows.None), ct));

        tell("Starting from the last checkpoint");
        var (load, live, waiting) = await LoadAsync(database, postgres.ConnectionString, ct);
        await using var api = await RunningApi.StartAsync(postgres.ConnectionString, ct);
        tell("Asking");
        var questions = new HistoryQuestions(database, api.ControlPlane, Seed);
        var looked = await Database.LookAsync(database, ct);
        return new(
            (long)await ScalarAsync(database, $"select count(*) from {ReadTables.Allocations}", ct), built.Events,
            await ScalarAsync(database, $"select extract(epoch from max(placed_at) - min(placed_at))::float8 / 86400 from {ReadTables.Allocations}", ct), live, waiting,
            fill, Math.Round(api.UntilFolded.TotalSeconds, 2), load, Math.Round(built.Events / built.Seconds), Math.Round(built.Seconds, 1), counted, copied, read, folded,
            await questions.PagesAsync(Questions, ct), await questions.ExplainAsync(Questions, ct), await questions.ClusterAtAsync(Moments, ct), await questions.WhoAsync(Questions, ct),
            await BytesAsync("select pg_total_relation_size('hami.mt_events') + pg_total_relation_size('hami.mt_streams')"),
            await BytesAsync($"select sum(pg_total_relation_size(oid)) from pg_class where relkind = 'r' and relnamespace = '{ReadTables.SchemaOf(built.Generation)}'::regnamespace"),
            await BytesAsync("select pg_total_relation_size('hami.checkpoint')"),
            looked.Version, looked.Fsync, looked.SynchronousCommit);

        async Task<long> BytesAsync(string sql) =>
            (long)(await ScalarAsync(database, sql, ct) / Math.Max(1, await ScalarAsync(database, $"select count(*) from {ReadTables.Allocations}", ct)));
    }

    private async Task<double> FillAsync(NpgsqlDataSource database, string connectionString, CancellationToken ct)
    {
        tell("Filling the ledger");
        using var store = DocumentStore.For(options => MartenSetup.Configure(options, connectionString));
        var began = Stopwatch.GetTimestamp();
        var events = await new LedgerFilling(database, store).FillAsync(new SimulatedCluster(nodes, Seed).Run(allocations), ct);
        var took = Math.Round(Stopwatch.GetElapsedTime(began).TotalSeconds, 1);
        tell(string.Create(CultureInfo.InvariantCulture, $"{events} events in {took} s"));
        return took;
    }

    /// <summary>What the journal does before its first command.</summary>
    private static async Task<(double Seconds, int Live, int Waiting)> LoadAsync(NpgsqlDataSource database, string connectionString, CancellationToken ct)
    {
        var (seconds, live, waiting) = (0.0, 0, 0);
        // The second finds the code compiled.
        for (var i = 0; i < 2; i++)
        {
            using var store = DocumentStore.For(options => MartenSetup.Configure(options, connectionString));
            using var checkpoints = new Checkpoints(database, NullLogger<Checkpoints>.Instance);
            using var journal = new Journal(
                store, database, new LiveAllocationTable(), checkpoints, [new ClusterView(TimeProvider.System)], TimeProvider.System, NullLogger<Journal>.Instance);
            var began = Stopwatch.GetTimestamp();
            await journal.StartAsync(ct);
            await journal.Loaded.WaitAsync(ct);
            seconds = Math.Round(Stopwatch.GetElapsedTime(began).TotalSeconds, 2);
            (live, waiting) = (journal.Ledger.LiveByPod.Count, journal.Ledger.Waiting.Count);
            await journal.StopAsync(ct);
        }
        return (seconds, live, waiting);
    }

    private static async Task CopyOutAsync(NpgsqlDataSource database, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var copy = await connection.BeginRawBinaryCopyAsync(
            $"copy (select seq_id, stream_id, version, type, data, timestamp, headers from {MartenSetup.Schema}.mt_events where seq_id <= {ReadForTheFloor} order by seq_id) to stdout (format binary)", ct);
        await copy.CopyToAsync(Stream.Null, ct);
    }

    private static async Task ReadAsync(NpgsqlDataSource database, ReadModels? models, CancellationToken ct)
    {
        var events = new StoredEvents();
        await using var connection = await database.OpenConnectionAsync(ct);
        await foreach (var row in LogRows.ReadAsync(connection, 0, ReadForTheFloor, ct))
        {
            var e = events.Read(row);
            models?.Apply(e.Position, e.At, e.Stream, e.Event);
            if (e.Position % 1000 == 0)
                models?.TakeChanges();
        }
    }

    private static async Task<double> PerSecondAsync(long events, Func<Task> read)
    {
        var began = Stopwatch.GetTimestamp();
        await read();
        return Math.Round(events / Stopwatch.GetElapsedTime(began).TotalSeconds);
    }

    private static async Task<bool> IsEmptyAsync(NpgsqlDataSource database, CancellationToken ct) =>
        await ScalarAsync(database, $"select (to_regclass('{MartenSetup.Schema}.journal_head') is null)::int", ct) == 1;

    private static async Task<double> ScalarAsync(NpgsqlDataSource database, string sql, CancellationToken ct)
    {
        await using var command = database.CreateCommand(sql);
        command.CommandTimeout = 0;
        return Convert.ToDouble(await command.ExecuteScalarAsync(ct), CultureInfo.InvariantCulture);
    }
}
