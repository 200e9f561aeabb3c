using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Hami.Domain.Ledger;
using Hami.Domain.Reading;
using JasperFx;
using Marten;
using Marten.Events.Daemon.Coordination;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Npgsql;

namespace Hami.Tests.Reading;

/// <summary>The read models in PostgreSQL: whatever stops and starts, they are what the log says.</summary>
public sealed class FillingTheTables
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
            // Not until it thinks so: the sequence that it goes by follows the log a moment later.
            await scene.CaughtUpAsync();
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
        // As the service runs it: a page that a swap was faster than is read again.
        var leader = new ProjectionCoordinator(scene.Journal.Store, NullLogger<ProjectionCoordinator>.Instance);
        await leader.StartAsync(CancellationToken.None);
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
        await leader.StopAsync(CancellationToken.None);

        Assert.Equal(await scene.FoldedTextAsync(), await scene.RowsAsync());
        Assert.Equal(swaps + 1, await scene.ScalarAsync<int>($"select generation from {ReadTables.Head}"));
    }

    [Fact]
    public async Task Use_that_goes_on_is_counted_up_to_the_moment_it_is_asked_for()
    {
        await using var scene = await ReadScene.StartAsync();
        var log = new AnyLog(9, Steps);
        using (var daemon = await scene.StartDaemonAsync())
        {
            await scene.WriteAsync(log.Events);
            await daemon.WaitForNonStaleData(ReadScene.Patience);
            await daemon.StopAllAsync();
        }
        var now = new FakeTimeProvider(log.End.AddHours(50));
        var (first, last) = (DateOnly.FromDateTime(log.Events[0].At.UtcDateTime), DateOnly.FromDateTime(log.End.AddHours(50).UtcDateTime));
        using var rows = new Rows(scene.ConnectionString);
        var questions = new UsageQuestions(rows, now);

        var (all, cards) = (await UsageAsync(new() { From = first }), await CardsAsync(new() { From = first }));
        var (usageByDay, cardsByDay) = (new List<UsageSum>(), new List<CardDay>());
        for (var day = first; day <= last; day = day.AddDays(1))
        {
            usageByDay.AddRange(await UsageAsync(new() { From = day, To = day.AddDays(1) }));
            cardsByDay.AddRange(await CardsAsync(new() { From = day, To = day.AddDays(1) }));
        }

        var given = all.GroupBy(u => (u.Day!.Value, u.Node!, u.DeviceUuid!)).ToDictionary(u => u.Key, u => u.Sum(x => x.GpuHours));
        Assert.All(cards, c => Assert.Equal(Microseconds(c.Hours), Microseconds(c.IdleHours + given.GetValueOrDefault((c.Day, c.Node, c.DeviceUuid)))));
        var wholeDay = last.AddDays(-1);
        Assert.All(cards.Where(c => c.Day == wholeDay), c => Assert.Equal(24m, c.Hours));
        Assert.Contains(cards, c => c.Day == wholeDay);
        Assert.Equal(all, usageByDay.ToHashSet());
        Assert.Equal(cards, cardsByDay.ToHashSet());
        Assert.Equal(all.Where(u => u.Namespace == "team-a").ToHashSet(), await UsageAsync(new() { From = first, Namespace = "team-a" }));
        Assert.Equal(all.Where(u => u.Node == "n1").ToHashSet(), await UsageAsync(new() { From = first, Node = "n1" }));
        Assert.Equal(cards.Where(u => u.Node == "n1").ToHashSet(), await CardsAsync(new() { From = first, Node = "n1" }));

        async Task<HashSet<UsageSum>> UsageAsync(WantedUsage wanted) =>
            [.. await questions.UsageAsync(Enum.GetValues<UsageBy>().ToHashSet(), wanted, Scope.Everything, CancellationToken.None)];

        async Task<HashSet<CardDay>> CardsAsync(CardDayFilter wanted) => [.. await questions.CardDaysAsync(wanted, CancellationToken.None)];

        static decimal Microseconds(decimal hours) => Math.Round(hours * 3_600_000_000m);
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
            select seq_id + 1, gen_random_uuid(), stream_id, version + 1, '{}', 'from_the_future', timestamp, tenant_id, 'From.The.Future, Elsewhere', false
            from hami.mt_events order by seq_id desc limit 1;
            select setval('hami.mt_events_sequence', max(seq_id)) from hami.mt_events;
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
    public async Task A_writer_that_hangs_with_the_journals_lock_and_numbers_that_were_given_up_hold_the_leader_up_no_longer_than_the_writer_lives()
    {
        await using var scene = await ReadScene.StartAsync();
        var events = new AnyLog(8, 60).Events;
        // As the service runs it.
        var leader = new ProjectionCoordinator(scene.Journal.Store, NullLogger<ProjectionCoordinator>.Instance);
        await leader.StartAsync(CancellationToken.None);
        await scene.WriteAsync(events.Take(events.Count / 3));
        await scene.CaughtUpAsync();
        // Numbers taken by a transaction that was rolled back.
        await scene.ExecuteAsync("select nextval('hami.mt_events_sequence') from generate_series(1, 20)");
        await scene.WriteAsync(events.Skip(events.Count / 3).Take(events.Count / 3));
        await scene.CaughtUpAsync();

        await scene.ExecuteAsync("select nextval('hami.mt_events_sequence') from generate_series(1, 20)");
        await scene.WriteAsync(events.Skip(events.Count / 3 * 2));
        await using (var holder = await scene.Journal.Database.OpenConnectionAsync())
        {
            var transaction = await holder.BeginTransactionAsync();
            await JournalTables.LockAsync(transaction, CancellationToken.None);
            await using (var sooner = new NpgsqlCommand("set local idle_in_transaction_session_timeout = '2s'", holder))
                await sooner.ExecuteNonQueryAsync();
            await scene.CaughtUpAsync();
            // What it had not written, it cannot write any more.
            await Assert.ThrowsAnyAsync<NpgsqlException>(() => transaction.CommitAsync());
        }
        await leader.StopAsync(CancellationToken.None);

        Assert.Equal(await scene.FoldedTextAsync(), await scene.RowsAsync());
    }
}
