using System.Globalization;
using Hami.Api.Reading;
using Hami.Api.Replaying;
using Hami.Domain.Ledger;
using Hami.Domain.Reading;
using Hami.Tests.Given;
using JasperFx.Events.Daemon;
using Marten;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Reading;

/// <summary>A journal, the read models and, where a test starts it, the daemon that feeds them.</summary>
internal sealed class ReadScene : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(45);

    private readonly FakeTimeProvider _time;

    private ReadScene(string connectionString, TestJournal journal, FakeTimeProvider time)
    {
        ConnectionString = connectionString;
        Journal = journal;
        _time = time;
        // Small, so that a build writes many times.
        Build = new(journal.Database, new StoredEvents(), NullLogger<ReadModelsBuild>.Instance, eventsAtOnce: 10, rowsAtOnce: 25);
    }

    public string ConnectionString { get; }

    public TestJournal Journal { get; }

    public ReadModelsBuild Build { get; }

    public static async Task<ReadScene> StartAsync()
    {
        var time = new FakeTimeProvider(new(2026, 3, 1, 0, 0, 0, TimeSpan.Zero));
        var database = await TestPostgres.CreateDatabaseAsync();
        var scene = new ReadScene(database, await TestJournal.StartAsync(database, time), time);
        await scene.Build.EnsureAsync(CancellationToken.None);
        return scene;
    }

    public async Task<IProjectionDaemon> StartDaemonAsync()
    {
        var daemon = await Journal.Store.BuildProjectionDaemonAsync();
        await daemon.StartAllAsync();
        return daemon;
    }

    /// <summary>Writes events as they are, at their times.</summary>
    public async Task WriteAsync(IEnumerable<(long Position, DateTimeOffset At, string Stream, object Event)> events)
    {
        foreach (var (_, at, stream, happened) in events)
        {
            _time.SetUtcNow(at);
            await Journal.Journal.DecideAsync(stream, _ => new Verdict<object>([happened], null));
        }
    }

    /// <summary>All rows of all read models, as the database shows them.</summary>
    public async Task<string> TextAsync()
    {
        var lines = new List<string>();
        foreach (var table in ReadTables.All)
        {
            await using var select = Journal.Database.CreateCommand(
                $"select row_to_json(t)::text from {ReadTables.Schema}.{table.Name} t order by {string.Join(", ", table.Key)}");
            await using var rows = await select.ExecuteReaderAsync();
            while (await rows.ReadAsync())
                lines.Add($"{table.Name} {rows.GetString(0)}");
        }
        return string.Join('\n', lines);
    }

    /// <summary>The same from the log alone, folded in memory.</summary>
    public async Task<string> FoldedTextAsync()
    {
        await using var session = Journal.Store.QuerySession();
        var events = await session.Events.QueryAllRawEvents().OrderBy(e => e.Sequence).ToListAsync();
        return new Tables().Fold(events.Select(e => (e.Sequence, e.Timestamp, e.StreamKey!, e.Data))).Text();
    }

    /// <summary>The rows of the database, as <see cref="FoldedTextAsync"/> writes them.</summary>
    public async Task<string> RowsAsync()
    {
        var tables = new Tables();
        await foreach (var row in ReadAsync<AllocationRow>(ReadTables.Allocation))
            tables.Put(row);
        await foreach (var row in ReadAsync<HoldingRow>(ReadTables.Holding))
            tables.Put(row);
        await foreach (var row in ReadAsync<NodeRow>(ReadTables.Node))
            tables.Put(row);
        await foreach (var row in ReadAsync<DeviceRow>(ReadTables.Device))
            tables.Put(row);
        await foreach (var row in ReadAsync<CardSizeRow>(ReadTables.CardSize))
            tables.Put(row);
        await foreach (var row in ReadAsync<RefusalRow>(ReadTables.Refusal))
            tables.Put(row);
        await foreach (var row in ReadAsync<UsageRow>(ReadTables.UsageTable))
            tables.Add(row);
        await foreach (var row in ReadAsync<CardDayRow>(ReadTables.CardDay))
            tables.Add(row);
        return tables.Text();
    }

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var command = Journal.Database.CreateCommand(sql);
        return (T)Convert.ChangeType((await command.ExecuteScalarAsync())!, typeof(T), CultureInfo.InvariantCulture);
    }

    public async Task ExecuteAsync(string sql)
    {
        await using var command = Journal.Database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Until the read models have folded all that is in the log.</summary>
    public async Task CaughtUpAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        while (await ScalarAsync<long>($"select position from {ReadTables.Head}") < await ScalarAsync<long>("select position from hami.journal_head"))
            await Task.Delay(50, patience.Token);
    }

    public ValueTask DisposeAsync() => Journal.DisposeAsync();

    private async IAsyncEnumerable<T> ReadAsync<T>(ReadTable table)
    {
        await using var select = Journal.Database.CreateCommand($"select row_to_json(t) from {ReadTables.Schema}.{table.Name} t");
        foreach (var row in await ReadRows.ReadAsync<T>(select, CancellationToken.None))
            yield return row;
    }
}
