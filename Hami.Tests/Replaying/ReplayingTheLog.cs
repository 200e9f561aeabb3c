using System.Text.Json;
using Hami.Api.Replaying;
using Hami.Domain.Ledger;
using Hami.Domain.Replaying;
using Hami.Tests.Given;

namespace Hami.Tests.Replaying;

public sealed class ReplayingTheLog
{
    [Fact]
    [Trait("Scoreboard", "H03")]
    public async Task The_state_at_every_position_is_the_fold_up_to_it_and_every_moment_finds_its_position()
    {
        await using var journal = await TestJournal.StartAsync(await TestPostgres.CreateDatabaseAsync());
        await new AnyLog(7).WriteAsync(journal, steps: 15);
        var history = new LedgerHistory(journal.Database, new StoredEvents(), new OneKeptState(ClusterLedger.Empty));
        var log = new List<Recorded>();
        await foreach (var e in history.ReadAsync(0, long.MaxValue, CancellationToken.None))
            log.Add(e);

        var folded = ClusterLedger.Empty;
        foreach (var e in log)
        {
            folded = Replay.Next(folded, e);
            Assert.Equal(Text(folded), Text(await history.AtAsync(e.Position, CancellationToken.None)));
            Assert.Equal(log.Last(x => x.At <= e.At).Position, await history.PositionAtAsync(e.At, CancellationToken.None));
        }
        Assert.Equal(Text(journal.Journal.Ledger), Text(folded));
        Assert.Equal(0, await history.PositionAtAsync(log[0].At.AddMicroseconds(-1), CancellationToken.None));
        Assert.Equal(log[^1].Position, await history.PositionAtAsync(log[^1].At.AddYears(1), CancellationToken.None));
    }

    [Fact]
    public async Task A_replay_begins_at_the_nearest_state_that_is_kept()
    {
        await using var journal = await TestJournal.StartAsync(await TestPostgres.CreateDatabaseAsync());
        await new AnyLog(8).WriteAsync(journal, steps: 10);
        var events = new StoredEvents();
        var plain = new LedgerHistory(journal.Database, events, new OneKeptState(ClusterLedger.Empty));
        var last = journal.Journal.Ledger.Position;
        var kept = new OneKeptState(await plain.AtAsync(last / 2, CancellationToken.None));
        var history = new LedgerHistory(journal.Database, events, kept);

        Assert.Equal(Text(await plain.AtAsync(last, CancellationToken.None)), Text(await history.AtAsync(last, CancellationToken.None)));
        Assert.Equal(Text(await plain.AtAsync(1, CancellationToken.None)), Text(await history.AtAsync(1, CancellationToken.None)));
        Assert.Equal([last, 1], kept.Asked);
    }

    private static string Text(ClusterLedger cluster) => JsonSerializer.Serialize(new
    {
        Picture = ClusterPicture.Of(cluster, default),
        Used = cluster.Used.OrderBy(u => u.Key, StringComparer.Ordinal),
        Quotas = cluster.Quotas.OrderBy(q => q.Key, StringComparer.Ordinal),
        Live = cluster.LiveByPod.OrderBy(l => l.Key, StringComparer.Ordinal),
        cluster.Policy,
        cluster.EventCount,
    });

    private sealed class OneKeptState(ClusterLedger state) : IKnownStates
    {
        public List<long> Asked { get; } = [];

        public ValueTask<ClusterLedger> NearestAsync(long position, CancellationToken cancellationToken)
        {
            Asked.Add(position);
            return new(position >= state.Position ? state : ClusterLedger.Empty);
        }
    }
}
