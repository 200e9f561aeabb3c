using Hami.Api.Replaying;
using Hami.Domain.Ledger;
using Hami.Tests.Given;

namespace Hami.Tests.Replaying;

/// <summary>What was asked for lately is there, and what follows it is folded on from it.</summary>
public sealed class KeepingRecentLedgers
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void The_nearest_one_up_to_a_position_is_found_and_the_one_that_was_not_asked_for_longest_makes_room()
    {
        var recent = new RecentLedgers(() => 1);
        for (var position = 10; position <= 80; position += 10)
            recent.Keep(At(position), 1);
        Assert.NotNull(recent.Find(10));

        recent.Keep(At(90), 1);

        Assert.Null(recent.Find(20));
        Assert.Equal((10, 10, 40, 90), (recent.Nearest(25)!.Position, recent.Nearest(10)!.Position, recent.Nearest(49)!.Position, recent.Nearest(1000)!.Position));
        Assert.Null(recent.Nearest(9));
    }

    [Fact]
    public void Of_another_log_nothing_is_kept_nor_what_was_read_before_it_was_begun()
    {
        var log = 1;
        var recent = new RecentLedgers(() => log);
        recent.Keep(At(10), 1);
        recent.Settle(Noon, 10, 1);
        log = 2;
        recent.Keep(At(20), 1);
        recent.Settle(Noon.AddHours(1), 20, 1);

        Assert.Null(recent.Nearest(100));
        Assert.Equal((null, null), (recent.PositionOf(Noon), recent.PositionOf(Noon.AddHours(1))));
    }

    [Fact]
    public void What_was_archived_is_no_place_to_begin_at()
    {
        var recent = new RecentLedgers(() => 1);
        recent.Keep(At(10), 1);
        recent.Keep(At(30), 1);

        recent.ForgetBefore(20);

        Assert.Null(recent.Nearest(29));
        Assert.Equal(30, recent.Nearest(30)!.Position);
    }

    [Fact]
    public async Task A_replay_goes_on_from_where_the_one_before_it_ended_and_a_moment_is_looked_up_once()
    {
        await using var journal = await TestJournal.StartAsync(await TestPostgres.CreateDatabaseAsync());
        await new AnyLog(9).WriteAsync(journal, steps: 12);
        var (recent, last) = (new RecentLedgers(() => 1), journal.Journal.Ledger.Position);
        var state = new LiveState(journal.Journal, recent, new(journal.Checkpoints));
        var history = new LedgerHistory(journal.Database, new StoredEvents(), state, recent);

        var early = await history.AtAsync(last / 3, CancellationToken.None);

        Assert.Same(early, await history.AtAsync(last / 3, CancellationToken.None));
        Assert.Same(early, await state.NearestAsync(last / 2, CancellationToken.None));
        // Of what is true now nothing has to be folded.
        Assert.Same(journal.Journal.Ledger, await history.AtAsync(last, CancellationToken.None));

        var at = (await history.ReadAsync(0, last / 2, CancellationToken.None).LastAsync()).At;
        var position = await history.PositionAtAsync(at, CancellationToken.None);
        Assert.Equal(position, recent.PositionOf(at));
        // What is still to come may come before the end of the log.
        await history.PositionAtAsync(at.AddYears(1), CancellationToken.None);
        Assert.Null(recent.PositionOf(at.AddYears(1)));
    }

    private static ClusterLedger At(long position) => ClusterLedger.Empty with { Position = position };
}
