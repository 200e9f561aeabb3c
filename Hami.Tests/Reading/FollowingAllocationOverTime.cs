using CsCheck;
using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Observing;
using Hami.Api.Reading;
using Hami.Api.Replaying;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Reading;
using Hami.Domain.Replaying;
using Hami.Tests.Archiving;
using Hami.Tests.Given;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Reading;

/// <summary>What was allocated at the begin of each step is what the cluster's picture of that moment says.</summary>
public sealed class FollowingAllocationOverTime
{
    private static readonly DateTimeOffset Start = LogOf.Start;

    [Theory]
    [InlineData(3)]
    [InlineData(17)]
    public async Task Every_point_equals_the_cluster_at_that_moment(int seed)
    {
        await using var scene = await ReadScene.StartAsync();
        var log = new AnyLog(seed, steps: 150);
        await scene.WriteAsync(log.Events);
        await scene.Build.RebuildAsync(CancellationToken.None);
        using var rows = new Rows(scene.ConnectionString);
        using var history = new History(new(rows.Database, new StoredEvents(), new FromTheBegin()));
        var trends = new AllocationTrends(rows, new FakeTimeProvider(log.End.AddDays(1)));
        var random = new Random(seed);
        var card = log.Events.Select(e => e.Event).OfType<NodeEvent.DevicesRegistered>().Last().Cards[0].Uuid;
        var begin = log.Events[0].At;
        foreach (var of in new HeldOf[] { new(), new() { Node = "n1" }, new() { DeviceUuid = card }, new() { DeviceUuid = "GPU-unseen" }, new() { Namespace = "team-a" }, new() { Namespace = "team-a", Node = "n2" } })
        {
            var from = begin.AddSeconds(random.Next(-100_000, (int)(log.End - begin).TotalSeconds));
            var (to, step) = (from.AddDays(random.Next(3, 30)), 5 * random.Next(1500, 9000));
            var trend = await trends.ReadAsync(of, from, to, step, CancellationToken.None);

            Assert.Equal(Expected(trend, step, Math.Min(to.UtcTicks, log.End.AddDays(1).UtcTicks)), trend.Points.Select(p => p.At));
            var (ledger, next) = (ClusterLedger.Empty, 0);
            foreach (var point in trend.Points)
            {
                for (; next < log.Events.Count && log.Events[next].At <= point.At; next++)
                    ledger = ClusterLedger.Evolve(ledger, log.Events[next].Stream, log.Events[next].At, log.Events[next].Event);
                Assert.Equal(PointOf(ledger, of, point.At), point);
                if (of.Namespace is null && of.DeviceUuid is null)
                    Assert.Equal(PointOf(await history.AtAsync(point.At, of.Node, Scope.Everything, CancellationToken.None)), point);
            }
        }
    }

    [Fact]
    public async Task What_happens_at_a_moment_counts_at_it_and_a_pod_counts_once_whatever_it_holds()
    {
        await using var scene = await ReadScene.StartAsync();
        var (pod, id) = ("p", Guid.NewGuid());
        var first = Asks.Card("a", memoryMiB: 10_000);
        await scene.WriteAsync(new LogOf()
            .At(300, "node/n1/0", new NodeEvent.DevicesRegistered("n1", [first, Asks.Card("b", memoryMiB: 10_000)]))
            .At(600, "node/n1/0", new NodeEvent.AllocationAdopted(id, pod, "default", pod, "n1", 3, [new(0, "init", true, "a", 5000, 50), new(1, "main", false, "b", 1000, 10), new(2, "side", false, "b", 500, 0)], "found", true))
            .At(900, "node/n1/0", new NodeEvent.AllocationShrunk(id, pod))
            .At(1200, "node/n1/0", new NodeEvent.DevicesRegistered("n1", [first with { Healthy = false }]))
            .At(1500, "node/n1/0", new NodeEvent.DevicesRegistered("n1", [first with { MemoryMiB = 20_000 }, Asks.Card("b", memoryMiB: 10_000)]))
            .At(1800, "node/n1/0", new NodeEvent.AllocationReleased(id, pod, ReleaseReason.Completed))
            .At(2100, "node/n1/0", new NodeEvent.NodeRemoved("n1", "it left")).Events);
        await scene.Build.RebuildAsync(CancellationToken.None);
        using var rows = new Rows(scene.ConnectionString);
        var trends = new AllocationTrends(rows, new FakeTimeProvider(Start.AddSeconds(2400)));

        var all = await trends.ReadAsync(new(), Start, Start.AddHours(1), 300, CancellationToken.None);
        var ofB = await trends.ReadAsync(new() { DeviceUuid = "b" }, Start, null, 300, CancellationToken.None);

        // To the time it is, not to the time asked for; no point lies beyond.
        Assert.Equal((Start, Start.AddSeconds(2400), 300), (all.From, all.To, all.StepSeconds));
        Assert.Equal(
            [(0, 0, 0, 0), (2, 20_000, 0, 0), (2, 20_000, 6500, 1), (2, 20_000, 1500, 1), (1, 10_000, 0, 1), (2, 30_000, 1500, 1), (2, 30_000, 0, 0), (0, 0, 0, 0)],
            all.Points.Select(p => (p.Devices, p.MemoryMiB, p.UsedMemoryMiB, p.Pods)));
        Assert.Equal([0, 0, 1, 1, 1, 1, 0, 0], ofB.Points.Select(p => p.Pods));
        Assert.Equal([0, 0, 2, 2, 0, 2, 0, 0], ofB.Points.Select(p => p.UsedSlots));
        Assert.Equal([0, 0, 10, 10, 0, 10, 0, 0], ofB.Points.Select(p => p.UsedCores));
    }

    [Fact]
    public async Task Before_the_horizon_it_is_said_where_history_is()
    {
        await using var scene = await ArchiveScene.StartAsync(31, steps: 60);
        using var rows = new Rows(scene.Connection);
        var trends = new AllocationTrends(rows, scene.Time);
        var before = await trends.ReadAsync(new(), scene.At(0.7), null, 86400, CancellationToken.None);
        await scene.ArchiveAsync(scene.At(0.6));

        var refused = await Assert.ThrowsAsync<ExecutionError>(() => trends.ReadAsync(new(), scene.At(0.2), null, null, CancellationToken.None));
        Assert.Equal("ARCHIVED", refused.Code);
        Assert.Contains("is before the horizon of the log", refused.Message, StringComparison.Ordinal);
        var after = await trends.ReadAsync(new(), scene.At(0.7), null, 86400, CancellationToken.None);
        Assert.Equal(before.Points.Where(p => p.At >= after.From), after.Points);
        Assert.True(after.Points.Count >= before.Points.Count - 1);
    }

    [Theory]
    [InlineData(7, 1, "stepSeconds is 7; it must be a multiple of 5.")]
    [InlineData(0, 1, "stepSeconds is 0; it must be a multiple of 5.")]
    [InlineData(5, 2, "These are more than 1000 points: ask for longer steps or a shorter time.")]
    [InlineData(300, -1, "from must be before to.")]
    public async Task A_time_that_cannot_be_shown_is_refused_with_a_sentence(int step, int hours, string sentence)
    {
        await using var scene = await ReadScene.StartAsync();
        using var rows = new Rows(scene.ConnectionString);
        var trends = new AllocationTrends(rows, new FakeTimeProvider(Start));
        Assert.Equal(sentence, (await Assert.ThrowsAsync<ExecutionError>(() => trends.ReadAsync(new(), Start.AddHours(-hours), null, step, CancellationToken.None))).Message);
    }

    [Fact]
    public void However_long_a_time_is_it_has_some_three_hundred_points_at_whole_steps() => Gen.Select(Gen.Int[1, 1_000_000_000], Gen.Int[0, 3_000_000]).Sample((seconds, ago) =>
    {
        var to = Start.AddSeconds(-ago);
        var (from, step) = TelemetryTrends.Aligned(to.AddSeconds(-seconds), to, null, Start);

        Assert.InRange((to - from) / step, 0, 301);
        Assert.Equal(0, (from - DateTimeOffset.UnixEpoch).Ticks % step.Ticks);
        Assert.InRange(to.AddSeconds(-seconds), from, from + step);
    });

    [Fact]
    public void Adding_up_by_changes_equals_looking_at_each_moment() => Gen.Select(Gen.Int[0, 60], Gen.Int[0, 60].Nullable(), Gen.Int[1, 9]).Array[0, 20].Sample(held =>
    {
        var steps = new AllocatedSteps(Start, TimeSpan.FromSeconds(7), 6);
        foreach (var (from, length, memory) in held)
            steps.Add(new(UsedMemoryMiB: memory, Pods: 1), Start.AddSeconds(from - 10), length is { } l ? Start.AddSeconds(from - 10 + l) : null);

        foreach (var (at, what) in steps.Points())
        {
            var then = held.Where(h => Start.AddSeconds(h.Item1 - 10) <= at && (h.Item2 is not { } l || Start.AddSeconds(h.Item1 - 10 + l) > at)).ToList();
            Assert.Equal(new Allocated(UsedMemoryMiB: then.Sum(h => h.Item3), Pods: then.Count), what);
        }
    });

    private static IEnumerable<DateTimeOffset> Expected(AllocationTrend trend, int step, long end) =>
        Enumerable.Range(0, 1000).Select(i => trend.From.AddSeconds((double)i * step)).TakeWhile(at => at.UtcTicks < end);

    private static AllocationPoint PointOf(ClusterLedger cluster, HeldOf of, DateTimeOffset at)
    {
        var nodes = cluster.Nodes.Where(n => of.Node is null || n.Key == of.Node).ToList();
        var cards = nodes.SelectMany(n => n.Value.Cards.Select(c => (Node: n.Value, Card: c))).Where(c => of.DeviceUuid is null || c.Card.Uuid == of.DeviceUuid).ToList();
        var use = cards.SelectMany(c => c.Node.Allocations.Values.Where(Counts).Select(a => CardUse.Of(a.Held, c.Card.Uuid))).Aggregate(default(CardUse), (a, b) => a + b);
        var pods = nodes.SelectMany(n => n.Value.Allocations.Values).Count(a => Counts(a) && a.Held.Any(s => of.DeviceUuid is null || s.DeviceUuid == of.DeviceUuid));
        return new(
            at, cards.Count, cards.Sum(c => c.Card.MemoryMiB), cards.Sum(c => (long)c.Card.Cores), cards.Sum(c => c.Card.Slots), use.MemoryMiB, use.Cores, use.Slots, pods);

        bool Counts(Allocation a) => of.Namespace is null || a.Namespace == of.Namespace;
    }

    private static AllocationPoint PointOf(ClusterPicture picture)
    {
        var cards = picture.Nodes.SelectMany(n => n.Cards).ToList();
        var there = cards.Where(c => c.IsRegistered).ToList();
        return new(
            picture.At, there.Count, there.Sum(c => c.MemoryMiB), there.Sum(c => (long)c.Cores), there.Sum(c => c.Slots), there.Sum(c => c.UsedMemoryMiB), there.Sum(c => (long)c.UsedCores),
            there.Sum(c => c.UsedSlots), cards.SelectMany(c => c.Holders).Select(h => h.AllocationId).Distinct().Count());
    }

    private sealed class FromTheBegin : IKnownStates
    {
        public ValueTask<ClusterLedger> NearestAsync(long position, CancellationToken cancellationToken) => new(ClusterLedger.Empty);
    }
}
