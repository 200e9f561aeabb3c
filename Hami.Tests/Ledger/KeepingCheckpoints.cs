using System.Text.Json;
using CsCheck;
using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Tests.Given;
using Npgsql;

namespace Hami.Tests.Ledger;

public sealed class KeepingCheckpoints
{
    private static readonly JsonSerializerOptions Readable = new(Checkpoints.Json) { WriteIndented = true };

    [Fact]
    public async Task A_start_from_a_checkpoint_is_a_start_from_the_whole_log()
    {
        var connection = await TestPostgres.CreateDatabaseAsync();
        await using var first = await TestJournal.StartAsync(connection, checkpointEvery: 10);
        await LogScript.WriteAsync(first, seed: 1, steps: 60);
        await EventuallyStored(first);
        // What stands before the checkpoint cannot be read any more: who starts must not look there.
        var stored = await Scalar(first.Database, "select max(position) from hami.checkpoint");
        await LogScript.WriteAsync(first, seed: 2, steps: 10);
        await Run(first.Database, $"update hami.mt_events set type = 'unreadable' where seq_id < {stored}");

        await using var second = await TestJournal.StartAsync(connection);

        Assert.Equal(Text(first.Journal.Ledger), Text(second.Journal.Ledger));
        Assert.True(stored > 10);
    }

    [Theory]
    [InlineData("update hami.checkpoint set body = substr(body, 1, 20)")]
    [InlineData("update hami.checkpoint set body = set_byte(body, 30, (get_byte(body, 30) + 1) % 256)")]
    [InlineData("update hami.checkpoint set hash = 'another'")]
    [InlineData("update hami.checkpoint set format = 0")]
    [InlineData("update hami.checkpoint set digest = ''")]
    public async Task One_that_cannot_be_used_is_passed_over(string damage)
    {
        var connection = await TestPostgres.CreateDatabaseAsync();
        await using var first = await TestJournal.StartAsync(connection, checkpointEvery: 10);
        await LogScript.WriteAsync(first, seed: 3, steps: 40);
        await EventuallyStored(first);
        await Run(first.Database, damage);

        await using var second = await TestJournal.StartAsync(connection);

        Assert.Equal(Text(first.Journal.Ledger), Text(second.Journal.Ledger));
    }

    [Fact]
    public async Task The_view_that_placement_reads_is_the_same_from_a_checkpoint_and_from_the_log()
    {
        var connection = await TestPostgres.CreateDatabaseAsync();
        var live = new ClusterView(TimeProvider.System);
        await using var first = await TestJournal.StartAsync(connection, checkpointEvery: 10, followers: live);
        await LogScript.WriteAsync(first, seed: 4, steps: 60);
        await EventuallyStored(first);

        var begun = new ClusterView(TimeProvider.System);
        await using var second = await TestJournal.StartAsync(connection, followers: begun);

        Assert.Equal(live.NodeNames.Order(StringComparer.Ordinal), begun.NodeNames.Order(StringComparer.Ordinal));
        Assert.All(live.NodeNames, name => Assert.Equal(live.Node(name)!.Uses, begun.Node(name)!.Uses));
    }

    [Fact]
    public void A_ledger_comes_back_from_its_snapshot_whole() => LogScript.Histories.Sample(
        history =>
        {
            var ledger = history.Aggregate(ClusterLedger.Empty, (l, e) => ClusterLedger.Evolve(l, e.Stream, e.At, e.Event));
            var back = JsonSerializer.Deserialize<LedgerSnapshot>(Text(ledger), Checkpoints.Json)!.ToLedger();

            Assert.Equal(Text(ledger), Text(back));
            Assert.Equal(ledger.LiveByPod.OrderBy(l => l.Key, StringComparer.Ordinal), back.LiveByPod.OrderBy(l => l.Key, StringComparer.Ordinal));
            Assert.Equal(ledger.Used.OrderBy(u => u.Key, StringComparer.Ordinal), back.Used.OrderBy(u => u.Key, StringComparer.Ordinal));
            Assert.Equal(ledger.Learned.Mix().Kinds, back.Learned.Mix().Kinds);
        },
        iter: 200);

    [Fact]
    public void The_shape_of_a_checkpoint_is_approved_with_its_format()
    {
        var ledger = LogScript.Of(seed: 7, steps: 60).Aggregate(ClusterLedger.Empty, (l, e) => ClusterLedger.Evolve(l, e.Stream, e.At, e.Event));
        ApprovedText.Is($"checkpoint.{LedgerSnapshot.Format}.json", JsonSerializer.Serialize(LedgerSnapshot.Of(ledger), Readable));
    }

    private static string Text(ClusterLedger ledger) => JsonSerializer.Serialize(LedgerSnapshot.Of(ledger), Checkpoints.Json);

    private static async Task EventuallyStored(TestJournal journal)
    {
        for (var tries = 0; tries < 3000; tries++)
        {
            if (await Scalar(journal.Database, "select count(*) from hami.checkpoint") > 0)
                return;
            await Task.Delay(10);
        }
        Assert.Fail("No checkpoint was stored.");
    }

    private static async Task<long> Scalar(NpgsqlDataSource database, string sql)
    {
        await using var command = database.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private static async Task Run(NpgsqlDataSource database, string sql)
    {
        await using var command = database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
