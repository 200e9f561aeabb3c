using System.Text.Json.Nodes;
using Hami.Api.Archiving;
using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Hami.Api.Replaying;
using Hami.Domain.Ledger;
using Hami.Tests.Given;
using Hami.Tests.Reading;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Npgsql;

namespace Hami.Tests.Archiving;

/// <summary>A log by seed with its read models, and a folder to archive into.</summary>
internal sealed class ArchiveScene : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hami-archive-");

    private ArchiveScene(TestJournal journal, string connection, FakeTimeProvider time)
    {
        (Journal, Connection, Time) = (journal, connection, time);
        Build = new(journal.Database, new StoredEvents(), NullLogger<ReadModelsBuild>.Instance, eventsAtOnce: 10, rowsAtOnce: 25);
    }

    public TestJournal Journal { get; private set; }

    public string Connection { get; }

    public FakeTimeProvider Time { get; }

    public ReadModelsBuild Build { get; }

    public string Folder => _folder.FullName;

    /// <summary>The events that were written, in order.</summary>
    public List<Recorded> Log { get; } = [];

    /// <summary>Writes a random log; its times are minutes to hours apart, some events of a commit at the same.</summary>
    public static async Task<ArchiveScene> StartAsync(int seed, int steps)
    {
        var time = new FakeTimeProvider(new(2024, 3, 1, 21, 0, 0, TimeSpan.Zero));
        var connection = await TestPostgres.CreateDatabaseAsync();
        var scene = new ArchiveScene(await TestJournal.StartAsync(connection, time, checkpointEvery: 15), connection, time);
        await scene.GoOnAsync(seed, steps);
        await scene.Build.EnsureAsync(CancellationToken.None);
        return scene;
    }

    /// <summary>Lets more happen.</summary>
    public async Task GoOnAsync(int seed, int steps)
    {
        var script = new LogScript(seed);
        var random = new Random(seed);
        for (var step = 0; step < steps; step++)
        {
            Time.Advance(random.Next(4) == 0 ? TimeSpan.Zero : TimeSpan.FromMinutes(random.Next(1, 300)));
            await script.StepAsync(Journal);
        }
        await ReloadAsync();
    }

    public async Task ReloadAsync()
    {
        Log.Clear();
        await foreach (var e in new LedgerHistory(Journal.Database, new StoredEvents(), new Whole()).ReadAsync(0, long.MaxValue, CancellationToken.None))
            Log.Add(e);
    }

    /// <summary>The time of an event, by how far it is from the first to the last.</summary>
    public DateTimeOffset At(double part) => Log[(int)(Log.Count * part)].At;

    public Task<ArchiveReport> ArchiveAsync(DateTimeOffset before) => new Archive(Journal.Database, new StoredEvents(), Time).RunAsync(before, Folder, CancellationToken.None);

    public Task<RestoreReport> RestoreAsync() => new Restoring(Journal.Database, Build).RunAsync(Folder, CancellationToken.None);

    public async Task<VerifyReport> VerifyAsync(bool withArchive, IReadOnlyList<ExportedHead?>? heads = null) =>
        await new LogVerification(Journal.Database, new StoredEvents()).RunAsync(heads ?? [], null, CancellationToken.None, withArchive ? Folder : null);

    public async Task<IReadOnlyList<string>> FindingsAsync(bool withArchive) => [.. (await VerifyAsync(withArchive)).Findings.Select(f => $"{f.Position} {f.Stream}: {f.What}")];

    /// <summary>The database as it is, to the letter: every row of the log and of its heads.</summary>
    public Task<List<string>> RowsAsync() => ColumnAsync("select row_to_json(e)::text from hami.mt_events e order by seq_id");

    /// <summary>All rows of the read models in force.</summary>
    public async Task<List<string>> ReadModelsAsync()
    {
        var rows = new List<string>();
        foreach (var table in ReadTables.All)
            rows.AddRange(await ColumnAsync($"select '{table.Name} ' || row_to_json(t)::text from {ReadTables.Schema}.{table.Name} t order by {string.Join(", ", table.Key)}"));
        return rows;
    }

    public async Task<List<string>> ColumnAsync(string sql)
    {
        await using var command = Journal.Database.CreateCommand(sql);
        await using var rows = await command.ExecuteReaderAsync();
        var column = new List<string>();
        while (await rows.ReadAsync())
            column.Add(rows.GetString(0));
        return column;
    }

    public async Task SqlAsync(string sql)
    {
        await using var command = Journal.Database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Calls a verb of the command line.</summary>
    public async Task<(int Code, string Output, string Error)> CallAsync(params string[] verb)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var code = await Hami.Api.CommandLine.Create().Parse([.. verb, "--postgres", Connection]).InvokeAsync(new() { Output = output, Error = error });
        return (code, output.ToString(), error.ToString());
    }

    public async Task<JsonNode?> AskAsync(params string[] verb)
    {
        var (_, output, error) = await CallAsync([.. verb, "--json"]);
        Assert.Equal("", error);
        return JsonNode.Parse(output);
    }

    /// <summary>As text that a verb takes.</summary>
    public static string Text(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'");

    public async ValueTask DisposeAsync()
    {
        await Journal.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private sealed class Whole : IKnownStates
    {
        public ValueTask<ClusterLedger> NearestAsync(long position, CancellationToken cancellationToken) => new(ClusterLedger.Empty);
    }
}
