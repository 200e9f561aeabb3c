using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Hami.Tests.Given;
using Hami.Tests.Reading;
using Npgsql;

namespace Hami.Tests.Crashing;

/// <summary>The database comes back as it was earlier: whatever was derived from what is no more is made anew.</summary>
public sealed class RestoringABackup
{
    [Theory]
    [InlineData(0)]
    [InlineData(6)]
    public async Task A_running_control_plane_begins_anew_with_the_database_and_so_do_its_read_models(int roundsSince)
    {
        await using var scene = await CrashScene.StartAsync(replicas: 2);
        await RoundsAsync(scene, 0, 3);
        await scene.AssertDerivedAsync(0);
        await using var backup = await DatabaseBackup.OfAsync(scene.Database);
        scene.Reconnect();
        await RoundsAsync(scene, 10, 5);
        await scene.AssertDerivedAsync(10);
        var before = await scene.HeadAsync();
        // What is bound after a backup is not known to it; that is not in question here.
        await scene.AssertNothingLeaksAsync(10);

        await backup.RestoreAsync();
        scene.Reconnect();
        await scene.AssertBeginsAnewAsync(before);
        await RoundsAsync(scene, 20, roundsSince);

        await scene.AssertDerivedAsync(20);
        await scene.AssertNothingLeaksAsync(20);
        await scene.AssertDerivedAsync(20);
    }

    [Theory]
    [InlineData(0, true)] // they are ahead of the log
    [InlineData(120, true)] // another event is where they stand
    [InlineData(120, false)] // no event is where they stand
    public async Task Read_models_of_another_log_are_noticed_at_the_start(int stepsSince, bool withNumbers)
    {
        await using var scene = await ReadScene.StartAsync();
        var log = new AnyLog(31, 150).Events;
        await FollowAsync(scene, log.Take(60));
        await scene.ExecuteAsync(OlderLog.Keep);
        await FollowAsync(scene, log.Skip(60));
        await scene.ExecuteAsync(OlderLog.PutBack + (withNumbers ? OlderLog.PutNumbersBack : ""));
        await using var restored = await TestJournal.StartAsync(scene.Journal.Database.ConnectionString);
        await LogScript.WriteAsync(restored, seed: 33, steps: stepsSince);

        await scene.Build.EnsureAsync(CancellationToken.None);
        Assert.Equal(await scene.FoldedTextAsync(), await scene.RowsAsync());
        Assert.Equal(2, await scene.ScalarAsync<int>($"select generation from {ReadTables.Head}"));

        // And the daemon passes over nothing of what comes.
        using var store = Marten.DocumentStore.For(options => MartenSetup.Configure(options, scene.Journal.Database.ConnectionString));
        using var daemon = await store.BuildProjectionDaemonAsync();
        await daemon.StartAllAsync();
        await LogScript.WriteAsync(restored, seed: 34, steps: 20);
        await scene.CaughtUpAsync();
        await daemon.StopAllAsync();
        Assert.Equal(await scene.FoldedTextAsync(), await scene.RowsAsync());
    }

    [Fact]
    public async Task Read_models_of_this_log_stay_as_they_are()
    {
        await using var scene = await ReadScene.StartAsync();
        await FollowAsync(scene, new AnyLog(35, 60).Events);
        await scene.ExecuteAsync("select nextval('hami.mt_events_sequence') from generate_series(1, 20)");

        await scene.Build.EnsureAsync(CancellationToken.None);

        Assert.Equal(1, await scene.ScalarAsync<int>($"select generation from {ReadTables.Head}"));
    }

    private static async Task FollowAsync(ReadScene scene, IEnumerable<(long Position, DateTimeOffset At, string Stream, object Event)> events)
    {
        using var daemon = await scene.StartDaemonAsync();
        await scene.WriteAsync(events);
        await scene.CaughtUpAsync();
        await daemon.StopAllAsync();
    }

    private static async Task RoundsAsync(CrashScene scene, int from, int count)
    {
        for (var seed = from; seed < from + count; seed++)
            await scene.RoundAsync(RoundPlan.Of(seed, mayCrash: false) with { PerThousand = 0 });
    }

    /// <summary>A copy of a whole database, made and put back while others use it.</summary>
    private sealed class DatabaseBackup : IAsyncDisposable
    {
        private readonly NpgsqlDataSource _server;
        private readonly string _name;
        private readonly string _copy;

        private DatabaseBackup(NpgsqlDataSource server, string name) => (_server, _name, _copy) = (server, name, name + "_backup");

        public static async Task<DatabaseBackup> OfAsync(string database)
        {
            var name = new NpgsqlConnectionStringBuilder(database).Database!;
            var backup = new DatabaseBackup(NpgsqlDataSource.Create(await TestPostgres.CreateDatabaseAsync()), name);
            await backup.ShutAsync($"create database {backup._copy} template {name}");
            await backup.RunAsync($"alter database {name} allow_connections true");
            return backup;
        }

        public async Task RestoreAsync()
        {
            await ShutAsync($"drop database {_name}");
            await RunAsync($"alter database {_copy} rename to {_name}");
        }

        public ValueTask DisposeAsync() => _server.DisposeAsync();

        /// <summary>Nobody is in it meanwhile: a copy is made of a database that stands still.</summary>
        private async Task ShutAsync(string sql)
        {
            await RunAsync($"alter database {_name} allow_connections false");
            for (var tries = 0; ; tries++)
            {
                try
                {
                    await RunAsync($"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{_name}'");
                    await RunAsync(sql);
                    return;
                }
                catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.ObjectInUse && tries < 300)
                {
                    // A session takes a moment to end.
                    await Task.Delay(50);
                }
            }
        }

        private async Task RunAsync(string sql)
        {
            await using var command = _server.CreateCommand(sql);
            await command.ExecuteNonQueryAsync();
        }
    }
}
