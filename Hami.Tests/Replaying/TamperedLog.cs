using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Hami.Api.Replaying;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Releasing;
using Hami.Tests.Given;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Hami.Tests.Replaying;

/// <summary>A small log with exported heads that a test changes behind the product's back; each gets it as it was.</summary>
public sealed class TamperedLog : IAsyncLifetime
{
    // An event needs its stream: deleted in this order, put back in the other.
    private static readonly string[] Tables =
    [
        "hami.mt_events", "hami.mt_streams", "hami.journal_head", "hami.live_allocation", "hami.checkpoint", "hami.read_models",
        .. ReadTables.All.Select(t => $"{ReadTables.SchemaOf(2)}.{t.Name}"),
    ];

    private readonly List<ExportedHead?> _heads = [];
    private NpgsqlDataSource _database = null!;

    internal SigningKey Key { get; private set; } = null!;

    internal HeadKeys Keys { get; private set; } = null!;

    internal IReadOnlyList<ExportedHead?> Heads => _heads;

    internal NpgsqlDataSource Database => _database;

    /// <summary>Rows 1 and 2 register n1 and n2; from 3 on pods p0 to p9 are placed in turns, and at the end p0 and p1 end.</summary>
    public async ValueTask InitializeAsync()
    {
        var file = HeadKeyFile.Create();
        (Key, Keys) = (SigningKey.Read(file), HeadKeys.Read([file]));
        File.Delete(file);
        var connection = await TestPostgres.CreateDatabaseAsync();
        await using (var journal = await TestJournal.StartAsync(connection))
        {
            _database = NpgsqlDataSource.Create(connection);
            foreach (var node in (string[])["n1", "n2"])
                await journal.Journal.DecideAsync<NodeEvent>(Streams.Node(node), _ => new NodeEvent.DevicesRegistered(node, [Asks.Card($"GPU-{node}")]));
            for (var i = 0; i < 10; i++)
            {
                var command = Asks.Place(Asks.Pod($"p{i}"), $"n{1 + (i % 2)}");
                await journal.Journal.DecideAsync(Streams.Node(command.Node), ledger => PlaceAllocationDecider.Decide(command, ledger));
                if (i % 4 == 3)
                    await ExportAsync();
            }
            await journal.Journal.DecideAsync<PodEvent>(
                Streams.Pod("waits"), ledger => RefusePlacementDecider.Decide(new(Asks.Pod("waits"), RefusedNodes.Of(Asks.Pod("waits"), [], Terms.Plain), 1, ledger.Position), ledger));
            foreach (var pod in (string[])["p0", "p1"])
            {
                var held = journal.Journal.Ledger.LiveByPod[pod];
                await journal.Journal.DecideAsync(
                    Streams.Node(held.Node), ledger => ReleaseAllocationDecider.Decide(new(pod, held.Id, ReleaseReason.Completed), ledger));
            }
            await ExportAsync();
            var head = await JournalHeads.ReadAsync(_database, CancellationToken.None);
            await journal.Checkpoints.StoreAsync(journal.Journal.Ledger, new(head!.Position, head.Hash), CancellationToken.None);
            await new ReadModelsBuild(journal.Database, new StoredEvents(), NullLogger<ReadModelsBuild>.Instance).EnsureAsync(CancellationToken.None);
        }
        foreach (var table in Tables)
            await SqlAsync($"create table {Kept(table)} as table {table}");
    }

    public async ValueTask DisposeAsync() => await _database.DisposeAsync();

    /// <summary>What a verification finds, each as <c>position stream: what</c>.</summary>
    internal async Task<IReadOnlyList<string>> FindingsAsync(string tamper, bool withHeads)
    {
        await SqlAsync(tamper);
        return await FindingsAsync(withHeads ? _heads : []);
    }

    internal async Task<IReadOnlyList<string>> FindingsAsync(IReadOnlyList<ExportedHead?> heads)
    {
        var report = await new LogVerification(_database, new StoredEvents()).RunAsync(heads, Keys, CancellationToken.None);
        return [.. report.Findings.Select(f => $"{f.Position} {f.Stream}: {f.What}")];
    }

    internal async Task RestoreAsync()
    {
        foreach (var table in Tables)
            await SqlAsync($"delete from {table}");
        foreach (var table in Tables.Reverse())
            await SqlAsync($"insert into {table} select * from {Kept(table)}");
    }

    internal async Task SqlAsync(string sql)
    {
        await using var command = _database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>What somebody does who knows how the chain is made and can write the whole database: every hash is computed again.</summary>
    internal async Task RehashAsync()
    {
        await using var connection = await _database.OpenConnectionAsync();
        var (previous, position, hashes) = (EventHash.Genesis, 0L, new List<(long Position, string Hash)>());
        await foreach (var row in LogRows.ReadAsync(connection, 0, long.MaxValue, CancellationToken.None))
        {
            (previous, position) = (row.HashAfter(previous), row.Position);
            hashes.Add((position, previous));
        }
        foreach (var (at, hash) in hashes)
            await SqlAsync($"update hami.mt_events set headers = jsonb_set(headers, '{{hash}}', '\"{hash}\"') where seq_id = {at}");
        await SqlAsync($"update hami.journal_head set position = {position}, hash = '{previous}'");
    }

    private static string Kept(string table) => $"hami.kept_{table.Replace('.', '_')}";

    private async Task ExportAsync() => _heads.Add(ExportedHead.Sign((await JournalHeads.ReadAsync(_database, CancellationToken.None))!, Key));
}
