using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Hami.Api.Replaying;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Tests.Given;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hami.Tests.Replaying;

/// <summary>What the product itself wrote is intact, whatever happened.</summary>
public sealed class VerifyingTheLog
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_log_that_the_product_wrote_is_intact(int seed)
    {
        await using var journal = await TestJournal.StartAsync(await TestPostgres.CreateDatabaseAsync(), checkpointEvery: 10, longestEpoch: 7);
        await new AnyLog(seed).WriteAsync(journal, steps: 40);
        var head = (await JournalHeads.ReadAsync(journal.Database, CancellationToken.None))!;
        await journal.Checkpoints.StoreAsync(journal.Journal.Ledger, new(head.Position, head.Hash), CancellationToken.None);

        var build = new ReadModelsBuild(journal.Database, new StoredEvents(), NullLogger<ReadModelsBuild>.Instance);
        await build.EnsureAsync(CancellationToken.None);

        var report = await new LogVerification(journal.Database, new StoredEvents()).RunAsync([], null, CancellationToken.None);

        Assert.Equal(head.Position, report.ReadModelsTo);
        Assert.Equal([], report.Findings.Select(f => $"{f.Position} {f.Stream}: {f.What}"));
        Assert.Equal(journal.Journal.Ledger.EventCount, report.Events);
        Assert.Equal(journal.Journal.Ledger.Position, report.Position);
        Assert.NotEmpty(journal.Journal.Ledger.Epochs);
        Assert.True(report.Redecided > 5, $"only {report.Redecided} placements were decided again");
    }

    [Fact]
    public async Task No_table_is_taken_away_from_a_verification_by_a_rebuild()
    {
        await using var journal = await TestJournal.StartAsync(await TestPostgres.CreateDatabaseAsync());
        await new AnyLog(4).WriteAsync(journal, steps: 10);
        var build = new ReadModelsBuild(journal.Database, new StoredEvents(), NullLogger<ReadModelsBuild>.Instance);
        await build.EnsureAsync(CancellationToken.None);
        var verifying = await BuildersTurn.ShareAsync(journal.Database, CancellationToken.None);

        var rebuild = build.RebuildAsync(CancellationToken.None);
        await using var waiting = journal.Database.CreateCommand("select count(*) from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())");
        for (var tries = 0; (long)(await waiting.ExecuteScalarAsync())! == 0; tries++)
        {
            Assert.True(tries < 3000 && !rebuild.IsCompleted, "the rebuild does not wait");
            await Task.Delay(10);
        }
        await verifying.DisposeAsync();

        Assert.Equal(3, (await rebuild).Generation);
    }

    [Fact]
    public async Task A_quota_that_moves_within_one_commit_is_no_finding()
    {
        await using var journal = await TestJournal.StartAsync(await TestPostgres.CreateDatabaseAsync());
        foreach (var node in (string[])["n1", "n2"])
            await journal.Journal.DecideAsync<NodeEvent>(Streams.Node(node), _ => new NodeEvent.DevicesRegistered(node, [Asks.Card($"GPU-{node}")]));
        await journal.Journal.DecideAsync<QuotaEvent>(Streams.Quota("default"), _ => new QuotaEvent.QuotaChanged("default", [new("team", 10_000, null)]));

        // Decided in turns, but written stream by stream.
        await Task.WhenAll(Enumerable.Range(0, 12).Select(i =>
        {
            var (node, command) = ($"n{1 + (i % 2)}", Asks.Place(Asks.Pod($"pod-{i}"), $"n{1 + (i % 2)}"));
            return journal.Journal.DecideAsync(Streams.Node(node), ledger => PlaceAllocationDecider.Decide(command, ledger));
        }));

        var report = await new LogVerification(journal.Database, new StoredEvents()).RunAsync([], null, CancellationToken.None);
        Assert.Equal(10, journal.Journal.Ledger.LiveByPod.Count);
        Assert.Empty(report.Findings);
    }
}
