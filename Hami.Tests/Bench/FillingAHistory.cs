using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Hami.Api.Replaying;
using Hami.Bench.History;
using Hami.Domain.Ledger;
using Hami.Tests.Given;
using Marten;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Hami.Tests.Bench;

/// <summary>The history that is measured is one that the product could have written.</summary>
public sealed class FillingAHistory
{
    private const int Allocations = 300;

    [Fact]
    public async Task A_filled_ledger_is_intact_and_the_product_goes_on_from_it()
    {
        var connection = await TestPostgres.CreateDatabaseAsync();
        await using var database = NpgsqlDataSource.Create(connection);
        using var store = DocumentStore.For(options => MartenSetup.Configure(options, connection));
        var history = new SimulatedCluster(nodes: 2, seed: 3, longestEpoch: 200).Run(Allocations).ToList();
        await new LedgerFilling(database, store, checkpointEvery: 250).FillAsync(history, CancellationToken.None);
        await using (var journal = await TestJournal.StartAsync(connection))
        {
            Assert.Equal(Snapshot(history[^1].After), Snapshot(journal.Journal.Ledger));
            await journal.Journal.DecideAsync<QuotaEvent>(Streams.Quota("late"), _ => new QuotaEvent.QuotaChanged("late", [new("q", 1, null)]));
        }
        await new ReadModelsBuild(database, new StoredEvents(), NullLogger<ReadModelsBuild>.Instance).RebuildAsync(CancellationToken.None);

        var report = await new LogVerification(database, new StoredEvents()).RunAsync([], null, CancellationToken.None);

        Assert.Equal([], report.Findings.Select(f => $"{f.Position} {f.Stream}: {f.What}"));
        Assert.Equal((history.Count + 1, Allocations), (report.Events, report.Redecided));
        // What makes a history worth asking is in it.
        Type[] wanted =
        [
            typeof(NodeEvent.AllocationShrunk), typeof(NodeEvent.AllocationReleased), typeof(NodeEvent.NodeCarriedForward), typeof(PodEvent.PlacementRefused), typeof(PolicyEvent.WorkloadMixLearned),
        ];
        Assert.Empty(wanted.Except(history.Select(h => h.Event.Event.GetType())));
        Assert.True(await KeptAsync(database) > 3, "there are checkpoints");
    }

    [Fact]
    public void The_same_seed_is_the_same_history() =>
        Assert.Equal(Texts(new SimulatedCluster(nodes: 2, seed: 4).Run(100)), Texts(new SimulatedCluster(nodes: 2, seed: 4).Run(100)));

    private static async Task<long> KeptAsync(NpgsqlDataSource database)
    {
        await using var command = database.CreateCommand("select count(*) from hami.checkpoint");
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private static string Snapshot(ClusterLedger ledger) => System.Text.Json.JsonSerializer.Serialize(LedgerSnapshot.Of(ledger), Checkpoints.Json);

    private static IEnumerable<string> Texts(IEnumerable<Happening> history) =>
        history.Select(h => $"{h.Event.Position} {h.Event.At:O} {h.Event.Stream} {System.Text.Json.JsonSerializer.Serialize(h.Event.Event, h.Event.Event.GetType(), Checkpoints.Json)}");
}
