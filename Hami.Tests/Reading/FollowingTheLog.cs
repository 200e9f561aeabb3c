using Hami.Api.Reading;
using Hami.Domain.Ledger;
using JasperFx;
using Marten;
using Npgsql;

namespace Hami.Tests.Reading;

/// <summary>The read models in PostgreSQL: whatever stops and starts, they are what the log says.</summary>
public sealed class FollowingTheLog
{
    private const int Steps = 150;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Rebuilt_from_the_log_they_equal_those_that_followed_it_live_byte_for_byte(int seed)
    {
        await using var scene = await ReadScene.StartAsync();
        var log = new AnyLog(seed, Steps);
        // In parts, each followed by a daemon of its own, so that no event may be lost between them.
        foreach (var part in log.Events.Chunk(40))
        {
            using var daemon = await scene.StartDaemonAsync();
            await scene.WriteAsync(part);
            await daemon.WaitForNonStaleData(ReadScene.Patience);
            await daemon.StopAllAsync();
        }
        var live = await scene.TextAsync();
        Assert.Equal(await scene.FoldedTextAsync(), await scene.RowsAsync());

        // Damaged, so that the rebuilt rows cannot be the old ones.
        await scene.ExecuteAsync($"delete from {ReadTables.SchemaOf(1)}.allocation; update {ReadTables.SchemaOf(1)}.usage set gpu_microseconds = 0");
        await scene.Build.RebuildAsync(CancellationToken.None);

        Assert.Equal(live, await scene.TextAsync());
        Assert.Equal(2, await scene.ScalarAsync<int>($"select generation from {ReadTables.Head}"));
        Assert.Equal(0, await scene.ScalarAsync<int>($"select count(*) from pg_namespace where nspname = '{ReadTables.SchemaOf(1)}'"));
    }

    [Fact]
    public async Task They_are_rebuilt_and_swapped_while_the_daemon_follows_and_the_journal_writes()
    {
        await using var scene = await ReadScene.StartAsync();
        var log = new AnyLog(4, 300);
        using var daemon = await scene.StartDaemonAsync();
        var writing = scene.WriteAsync(log.Events);
        var swaps = 0;
        while (!writing.IsCompleted || swaps < 2)
        {
            await scene.Build.RebuildAsync(CancellationToken.None);
            swaps++;
            // Somebody who reads meanwhile finds the tables at every moment.
            Assert.True(await scene.ScalarAsync<long>($"select count(*) from {ReadTables.Allocations}") >= 0);
        }
        await writing;
        await scene.CaughtUpAsync();
        await daemon.StopAllAsync();

        Assert.Equal(await scene.FoldedTextAsync(), await scene.RowsAsync());
        Assert.Equal(swaps + 1, await scene.ScalarAsync<int>($"select generation from {ReadTables.Head}"));
    }

    [Fact]
    public async Task Two_daemons_at_once_count_nothing_twice()
    {
        await using var scene = await ReadScene.StartAsync();
        var log = new AnyLog(5, Steps);
        using var one = await scene.StartDaemonAsync();
        using var other = await scene.StartDaemonAsync();
        await scene.WriteAsync(log.Events);
        await one.StopAllAsync();
        await other.StopAllAsync();
        using var last = await scene.StartDaemonAsync();
        await last.WaitForNonStaleData(ReadScene.Patience);
        await last.StopAllAsync();

        Assert.Equal(await scene.FoldedTextAsync(), await scene.RowsAsync());
    }

    [Fact]
    public async Task A_database_that_has_a_log_and_no_read_models_gets_them_before_the_daemon_starts()
    {
        await using var scene = await ReadScene.StartAsync();
        await scene.ExecuteAsync($"drop schema {ReadTables.Schema} cascade; drop schema {ReadTables.SchemaOf(1)} cascade; drop table {ReadTables.Head}; delete from hami.mt_event_progression");
        await scene.WriteAsync(new AnyLog(6, Steps).Events);

        await scene.Build.EnsureAsync(CancellationToken.None);

        Assert.Equal(await scene.FoldedTextAsync(), await scene.RowsAsync());
        Assert.Equal(
            await scene.ScalarAsync<long>("select max(seq_id) from hami.mt_events"),
            await scene.ScalarAsync<long>($"select last_seq_id from hami.mt_event_progression where name = '{ReadModelsProjection.Name}:All'"));
    }

    [Fact]
    public async Task Tables_of_another_shape_are_not_written()
    {
        await using var scene = await ReadScene.StartAsync();
        await scene.ExecuteAsync($"update {ReadTables.Head} set shape = shape + 1");
        await scene.WriteAsync([(0, DateTimeOffset.UnixEpoch.AddYears(60), Streams.Node("n1"), new NodeEvent.DevicesRegistered("n1", [Given.Asks.Card("a")]))]);
        await using var session = scene.Journal.Store.LightweightSession();
        var events = await session.Events.QueryAllRawEvents().ToListAsync();

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => new ReadModelsProjection().ApplyAsync((IDocumentOperations)session, events, CancellationToken.None));

        Assert.Contains("shape", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_event_nobody_knows_stops_them_before_it_and_the_rebuild_too()
    {
        await using var scene = await ReadScene.StartAsync();
        await scene.WriteAsync(new AnyLog(7, 30).Events);
        var last = await scene.ScalarAsync<long>("select max(seq_id) from hami.mt_events");
        await scene.ExecuteAsync(
            """
            insert into hami.mt_events (seq_id, id, stream_id, version, data, type, timestamp, tenant_id, mt_dotnet_type, is_archived)
            select nextval('hami.mt_events_sequence'), gen_random_uuid(), stream_id, version + 1, '{}', 'from_the_future', timestamp, tenant_id, 'From.The.Future, Elsewhere', false
            from hami.mt_events order by seq_id desc limit 1;
            """);
        using var daemon = await scene.StartDaemonAsync();

        await Assert.ThrowsAnyAsync<Exception>(() => daemon.WaitForNonStaleData(TimeSpan.FromSeconds(8)));
        Assert.True(await scene.ScalarAsync<long>($"select position from {ReadTables.Head}") <= last);
        Assert.NotEqual(AgentStatus.Running, daemon.StatusFor($"{ReadModelsProjection.Name}:All"));
        await daemon.StopAllAsync();

        await Assert.ThrowsAnyAsync<Exception>(() => scene.Build.RebuildAsync(CancellationToken.None));
        Assert.Equal(1, await scene.ScalarAsync<int>($"select generation from {ReadTables.Head}"));
    }

    [Fact]
    public async Task A_writer_that_holds_the_journals_lock_or_gave_up_its_numbers_holds_nobody_up()
    {
        await using var scene = await ReadScene.StartAsync();
        var events = new AnyLog(8, 60).Events;
        using var daemon = await scene.StartDaemonAsync();
        await scene.WriteAsync(events.Take(events.Count / 2));
        // Numbers taken by a transaction that was rolled back.
        await scene.ExecuteAsync("select nextval('hami.mt_events_sequence') from generate_series(1, 20)");
        await scene.WriteAsync(events.Skip(events.Count / 2));
        await using (var holder = await scene.Journal.Database.OpenConnectionAsync())
        {
            await using var transaction = await holder.BeginTransactionAsync();
            await using var hold = new NpgsqlCommand("select pg_advisory_xact_lock(1751215465)", holder);
            await hold.ExecuteNonQueryAsync();
            await scene.CaughtUpAsync();
        }
        await daemon.StopAllAsync();

        Assert.Equal(await scene.FoldedTextAsync(), await scene.RowsAsync());
    }
}
