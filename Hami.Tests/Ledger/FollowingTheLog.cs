using System.Text.Json;
using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Tests.Given;
using Npgsql;

namespace Hami.Tests.Ledger;

/// <summary>Processes that share a log, and a log that is not the one it was.</summary>
public sealed class FollowingTheLog
{
    [Fact]
    [Trait("Scoreboard", "H09")]
    public async Task What_one_process_appends_the_others_fold_without_being_asked()
    {
        var connection = await TestPostgres.CreateDatabaseAsync();
        await using var writer = await TestJournal.StartAsync(connection);
        var view = new ClusterView(TimeProvider.System);
        await using var reader = await TestJournal.StartAsync(connection, followers: view);

        await LogScript.WriteAsync(writer, seed: 11, steps: 80);
        await UntilSame(writer, reader);

        Assert.True(writer.Journal.Ledger.Position > 30);
        Assert.All(reader.Journal.Ledger.Nodes.Where(n => n.Value.Cards.Count > 0), n => Assert.Equal(n.Value.Cards.Count, view.Node(n.Key)!.Cards.Length));
    }

    [Fact]
    public async Task Who_loses_the_connection_it_listens_on_reads_on_all_the_same()
    {
        var connection = await TestPostgres.CreateDatabaseAsync();
        await using var writer = await TestJournal.StartAsync(connection);
        await using var reader = await TestJournal.StartAsync(connection);
        await LogScript.WriteAsync(writer, seed: 12, steps: 10);
        await UntilSame(writer, reader);

        await Run(writer.Database, "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()");
        await Insist(() => LogScript.WriteAsync(writer, seed: 13, steps: 30));

        await UntilSame(writer, reader);
    }

    [Theory]
    [InlineData(0, "as it was restored")]
    [InlineData(60, "and went on further than it had been")]
    public async Task A_log_restored_from_a_backup_is_noticed_and_begun_from_anew(int stepsSince, string after)
    {
        var connection = await TestPostgres.CreateDatabaseAsync();
        var view = new ClusterView(TimeProvider.System);
        await using var followed = await TestJournal.StartAsync(connection, followers: view);
        await LogScript.WriteAsync(followed, seed: 14, steps: 40);
        await Run(followed.Database, OlderLog.Keep);
        await LogScript.WriteAsync(followed, seed: 15, steps: 40);
        var before = Text(followed);

        await Run(followed.Database, Restore);
        await using var restored = await TestJournal.StartAsync(connection);
        if (stepsSince > 0)
            await LogScript.WriteAsync(restored, seed: 16, steps: stepsSince);
        await Insist(() => LogScript.WriteAsync(followed, seed: 17, steps: 5));
        await UntilSame(restored, followed);

        Assert.NotEqual(before, Text(followed));
        Assert.True(followed.Journal.IsWritable, after);
        Assert.Equal(restored.Journal.Ledger.Nodes.Keys.Order(StringComparer.Ordinal), view.NodeNames.Order(StringComparer.Ordinal));
        Assert.All(view.NodeNames.Where(n => view.Node(n) is not null), name => Assert.Equal(
            Hami.Domain.Placing.NodeUse.Of(name, restored.Journal.Ledger.Node(name)).Uses, view.Node(name)!.Uses));
    }

    private const string Restore = $"begin; {OlderLog.PutBack} {OlderLog.PutNumbersBack} commit;";

    private static string Text(TestJournal journal) => JsonSerializer.Serialize(LedgerSnapshot.Of(journal.Journal.Ledger), Checkpoints.Json);

    private static async Task UntilSame(TestJournal one, TestJournal other)
    {
        for (var tries = 0; tries < 6000 && Text(one) != Text(other); tries++)
            await Task.Delay(10);
        Assert.Equal(Text(one), Text(other));
    }

    /// <summary>As callers do: what is not known to be written is asked again.</summary>
    private static async Task Insist(Func<Task> write)
    {
        for (var tries = 0; ; tries++)
        {
            try
            {
                await write();
                return;
            }
            catch (JournalUnavailableException) when (tries < 300)
            {
                await Task.Delay(100);
            }
        }
    }

    private static async Task Run(NpgsqlDataSource database, string sql)
    {
        try
        {
            await using var command = database.CreateCommand(sql);
            await command.ExecuteNonQueryAsync();
        }
        catch (NpgsqlException e) when (e.SqlState is PostgresErrorCodes.AdminShutdown)
        {
            // We asked for it.
        }
    }
}
