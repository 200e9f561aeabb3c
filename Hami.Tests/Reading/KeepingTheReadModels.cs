using CsCheck;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Reading;

namespace Hami.Tests.Reading;

/// <summary>Laws of the rows over any log.</summary>
public sealed class KeepingTheReadModels
{
    private const int Steps = 120;

    [Fact]
    public void What_is_open_is_what_the_ledger_holds() => ForAnyLog(60, log =>
    {
        var tables = new Tables().Fold(log.Events);
        var open = tables.Open();

        Assert.Equal(
            log.Cluster.LiveByPod.Select(l => (l.Key, l.Value.Id, l.Value.Node)).OrderBy(l => l.Key, StringComparer.Ordinal),
            open.Allocations.Select(a => (a.PodUid, a.Id, a.Node)).OrderBy(a => a.PodUid, StringComparer.Ordinal));
        Assert.Equal(log.Cluster.Waiting.Keys.Order(StringComparer.Ordinal), open.Refusals.Select(r => r.PodUid).Order(StringComparer.Ordinal));
        Assert.Equal(
            log.Cluster.Nodes.SelectMany(n => n.Value.Cards.Select(c => (n.Key, c.Uuid, c.MemoryMiB, c.Healthy, n.Value.Cordoned.Contains(c.Uuid)))).Order(),
            open.Devices.Where(d => d.IsRegistered).Select(d => (d.Node, d.Uuid, d.MemoryMiB, d.Healthy, d.CordonedAt is not null)).Order());
        foreach (var device in open.Devices.Where(d => d.IsRegistered))
        {
            var use = log.Cluster.Node(device.Node).Allocations.Values.Aggregate(default(CardUse), (sum, a) => sum + CardUse.Of(a.Held, device.Uuid));
            Assert.Equal((use.MemoryMiB, use.Cores, use.Slots), (device.UsedMemoryMiB, device.UsedCores, device.UsedSlots));
            Assert.Equal(use.Slots > 0, device.HeldSince is not null);
        }
    });

    [Fact]
    public void It_does_not_matter_where_in_the_log_the_fold_was_stopped_and_taken_up_again() => ForAnyLog(60, log =>
    {
        var whole = new Tables().Fold(log.Events);
        var random = new Random(log.Events.Count);
        var pieces = new Tables();
        for (var at = 0; at < log.Events.Count;)
        {
            var piece = log.Events.Skip(at).Take(random.Next(1, 30)).ToList();
            pieces.Fold(piece);
            at += piece.Count;
        }
        Assert.Equal(whole.Text(), pieces.Text());
    });

    [Fact]
    public void An_event_that_the_read_models_do_not_know_is_not_passed_over()
    {
        var models = new ReadModels(OpenRows.None);
        Assert.Throws<ArgumentOutOfRangeException>(() => models.Apply(1, DateTimeOffset.UnixEpoch, Streams.Node("n1"), "something new"));
    }

    [Fact]
    public void An_event_of_an_allocation_that_is_not_live_is_not_passed_over()
    {
        var models = new ReadModels(OpenRows.None);
        Assert.Throws<KeyNotFoundException>(() => models.Apply(1, DateTimeOffset.UnixEpoch, Streams.Node("n1"), new NodeEvent.AllocationBound(Guid.Empty)));
    }

    [Fact]
    public void A_pod_that_waited_tells_since_when_and_how_it_ended()
    {
        var log = new LogOf()
            .At(0, "node/n1/0", new NodeEvent.DevicesRegistered("n1", [Given.Asks.Card("a")]))
            .At(1, "pod/p", Refused("x"))
            .At(2, "pod/p", Refused("y"))
            .At(3, "node/n1/0", new NodeEvent.AllocationAdopted(Guid.Empty, "p", "default", "p", "n1", 1, [new(0, "main", false, "a", 1, 0)], "found", true))
            .At(4, "pod/q", Refused("x") with { PodUid = "q" })
            .At(5, "pod/q", new PodEvent.WorkloadWithdrawn("q"));
        var tables = new Tables().Fold(log.Events);

        Assert.Equal(
            [("p", 1, 1, 2, WaitingEnd.RefusedAgain), ("p", 1, 2, 3, WaitingEnd.Placed), ("q", 4, 4, 5, WaitingEnd.Withdrawn)],
            tables.Refusals.Select(r => (r.PodUid, Second(r.WaitingSince), Second(r.RefusedAt), Second(r.EndedAt!.Value), r.Ending!.Value)));
        Assert.Equal(1, Second(Assert.Single(tables.Allocations).WaitingSince!.Value));

        static int Second(DateTimeOffset at) => (int)(at - LogOf.Start).TotalSeconds;
        static PodEvent.PlacementRefused Refused(string why) => new("p", "default", "p", why, [new(why, 1, [])], 0);
    }

    [Fact]
    public void A_card_that_left_and_came_back_is_known_anew()
    {
        var log = new LogOf()
            .At(0, "node/n1/0", new NodeEvent.DevicesRegistered("n1", [Given.Asks.Card("a")]))
            .At(1, "node/n1/0", new NodeEvent.NodeRemoved("n1", "it left"))
            .At(2, "node/n1/0", new NodeEvent.DevicesRegistered("n1", [Given.Asks.Card("a", healthy: false)]));
        var (left, back) = (new Tables().Fold(log.Events.Take(2)), new Tables().Fold(log.Events));

        Assert.Equal((false, LogOf.Start.AddSeconds(1)), (left.Devices.Single().IsRegistered, left.Devices.Single().RemovedAt));
        Assert.Equal((LogOf.Start.AddSeconds(1), "it left"), (left.Nodes.Single().RemovedAt, left.Nodes.Single().RemovedBecause));
        Assert.Equal(
            (true, LogOf.Start.AddSeconds(2), null, LogOf.Start.AddSeconds(2)),
            (back.Devices.Single().IsRegistered, back.Devices.Single().RegisteredAt, back.Devices.Single().RemovedAt, back.Devices.Single().HealthySince));
        Assert.Equal((LogOf.Start.AddSeconds(2), null), (back.Nodes.Single().RegisteredAt, back.Nodes.Single().RemovedAt));
    }

    internal static void ForAnyLog(int times, Action<AnyLog> law) => Gen.Int.Sample(
        seed =>
        {
            try
            {
                law(new AnyLog(seed, Steps));
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"Not so with seed {seed}: {e.Message}", e);
            }
        },
        iter: times);
}
