using Hami.Api.Plumbing;
using Hami.Tests.Given;
using Npgsql;

namespace Hami.Tests.Plumbing;

/// <summary>One process of several keeps the read models, and whoever does so is in nobody's way.</summary>
public sealed class LeadingOverTheReadModels
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task One_leads_until_its_session_is_lost_then_the_next()
    {
        var postgres = await TestPostgres.CreateDatabaseAsync();
        await using var database = NpgsqlDataSource.Create(postgres);
        await using var first = await Leadership.TakeAsync(postgres, TimeProvider.System, CancellationToken.None);
        var lost = first.LostAsync(CancellationToken.None);
        var second = Leadership.TakeAsync(postgres, TimeProvider.System, CancellationToken.None);
        await Task.Delay(TimeSpan.FromSeconds(2.5));
        Assert.False(lost.IsCompleted);
        Assert.False(second.IsCompleted);

        await ScalarAsync(database, "select count(pg_terminate_backend(pid)) from pg_locks where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())");

        await lost.WaitAsync(Patience);
        await using var next = await second.WaitAsync(Patience);
        Assert.False(next.LostAsync(CancellationToken.None).IsCompleted);
    }

    [Fact]
    public async Task Who_stops_leading_is_followed_at_once_and_who_gives_up_waiting_holds_nothing()
    {
        var postgres = await TestPostgres.CreateDatabaseAsync();
        using var enough = new CancellationTokenSource();
        await using (await Leadership.TakeAsync(postgres, TimeProvider.System, CancellationToken.None))
        {
            var waiting = Leadership.TakeAsync(postgres, TimeProvider.System, enough.Token);
            await enough.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        }

        await using var next = await Leadership.TakeAsync(postgres, TimeProvider.System, CancellationToken.None).WaitAsync(Patience);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next.LostAsync(enough.Token));
    }

    /// <summary>PostgreSQL clears away no version of a row that a statement or transaction of somebody might still see.</summary>
    [Fact]
    public async Task Nobody_holds_back_the_clearing_away_of_old_rows_so_the_head_of_the_log_stays_small()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1);
        await using var replica = await scene.StartReplicaAsync();
        await using var watching = await scene.Database.OpenConnectionAsync();
        // The read models are kept.
        await ControlPlaneScene.UntilAsync(async () => await ScalarAsync(scene.Database, "select count(*) from hami.mt_event_progression where last_seq_id > 0") > 0, () => scene.Log);

        // Who looks for a moment makes it as large as that moment; after that, it has room enough.
        await using var rewrite = new NpgsqlCommand("update hami.journal_head set at = at", watching);
        await ControlPlaneScene.UntilAsync(
            async () =>
            {
                var before = await SizeAsync();
                for (var i = 0; i < 2000; i++)
                    await rewrite.ExecuteNonQueryAsync();
                return await SizeAsync() == before;
            },
            () => scene.Log);
        Assert.Equal(0, await ScalarAsync(scene.Database, """
            select count(*) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and (xact_start < now() - interval '5 s' or query_start < now() - interval '5 s' and state = 'active')
            """));

        Task<long> SizeAsync() => ScalarAsync(scene.Database, "select pg_relation_size('hami.journal_head')");
    }

    private static async Task<long> ScalarAsync(NpgsqlDataSource database, string sql)
    {
        await using var command = database.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
