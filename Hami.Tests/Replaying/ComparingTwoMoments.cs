using CsCheck;
using Hami.Domain.Ledger;
using Hami.Domain.Replaying;
using Hami.Tests.Given;

namespace Hami.Tests.Replaying;

/// <summary>What came between two moments went the other way round.</summary>
public sealed class ComparingTwoMoments
{
    [Fact]
    public void What_came_went_and_stayed_is_what_both_ledgers_say_and_the_other_way_round_it_is_mirrored() =>
        Gen.Select(Gen.Int[0, 100_000], Gen.Int[0, 80], Gen.Int[0, 80]).Sample(
            (seed, one, other) =>
            {
                var log = new Reading.AnyLog(seed, 80).Events;
                var (a, b) = (Folded(log.Take(one)), Folded(log.Take(other)));
                var (there, back) = (Compared(a, b), Compared(b, a));

                Assert.Equal(Only(b, a), there.Came.Select(h => h.AllocationId).ToHashSet());
                Assert.Equal(Only(a, b), there.Went.Select(h => h.AllocationId).ToHashSet());
                Assert.Equal(a.LiveByPod.Values.Select(l => l.Id).Intersect(b.LiveByPod.Values.Select(l => l.Id)).Count(), there.Stayed);
                Assert.Equal((there.Came.Count, there.Went.Count), (there.CameCount, there.WentCount));
                Assert.Equal(there.Before.Pods, there.Stayed + there.WentCount);
                Assert.Equal(there.After.Pods, there.Stayed + there.CameCount);
                Assert.Equal(there.After.Nodes - there.Before.Nodes, there.NodesCame.Count - there.NodesWent.Count);

                Assert.Equal(there.Came, back.Went);
                Assert.Equal(there.Went, back.Came);
                Assert.Equal(there.Stayed, back.Stayed);
                Assert.Equal(there.NodesCame, back.NodesWent);
                Assert.Equal(there.NodesWent, back.NodesCame);
                Assert.Equal(there.DevicesChanged.Select(d => (d.Node, d.Uuid)).Order(), back.DevicesChanged.Select(d => (d.Node, d.Uuid)).Order());
                Assert.Empty(Compared(a, a).DevicesChanged);
            },
            iter: 100);

    [Theory]
    [InlineData("nothing", "")]
    [InlineData("unhealthy", "It became unhealthy.")]
    [InlineData("cordoned", "It was cordoned.")]
    [InlineData("mode", "Its mode changed from hami-core to mig.")]
    [InlineData("memory", "Its memory changed from 40960 MiB to 81920 MiB.")]
    [InlineData("unhealthy memory cordoned", "It became unhealthy; it was cordoned; its memory changed from 40960 MiB to 81920 MiB.")]
    [InlineData("gone", "It went.")]
    public void A_card_that_is_otherwise_is_told_of_in_a_sentence(string changes, string what)
    {
        var card = Asks.Card("GPU-1");
        var after = card with
        {
            Healthy = !changes.Contains("unhealthy", StringComparison.Ordinal), Mode = changes == "mode" ? "mig" : card.Mode,
            MemoryMiB = changes.Contains("memory", StringComparison.Ordinal) ? 81920 : card.MemoryMiB,
        };
        var before = NodeOf(NodeLedger.Empty with { Cards = [card, Asks.Card("GPU-2", index: 1)] });
        var then = NodeOf(NodeLedger.Empty with
        {
            Cards = changes == "gone" ? [Asks.Card("GPU-2", index: 1)] : [after, Asks.Card("GPU-2", index: 1)],
            Cordoned = changes.Contains("cordoned", StringComparison.Ordinal) ? ["GPU-1"] : [],
        });

        var changed = Compared(before, then).DevicesChanged;

        Assert.Equal(what, string.Join(' ', changed.Select(d => d.What)));
        Assert.All(changed, d => Assert.Equal(("n1", "GPU-1", card.Model), (d.Node, d.Uuid, d.Type)));
        if (changes == "gone")
            Assert.Equal("It came.", Assert.Single(Compared(then, before).DevicesChanged).What);
    }

    [Fact]
    public void Of_a_namespace_that_is_not_seen_nothing_is_told_and_only_its_numbers_count()
    {
        var cluster = new Reading.LogOf()
            .At(0, Streams.Node("n1"), new NodeEvent.DevicesRegistered("n1", [Asks.Card("GPU-1")]))
            .At(0, Streams.Node("n1"), new NodeEvent.AllocationAdopted(Guid.CreateVersion7(), "u1", "secret", "p1", "n1", 1, [new(0, "main", false, "GPU-1", 700, 5)], "the test", true));
        var (empty, full) = (ClusterSums.Empty, ClusterSums.Empty.Of(Folded(cluster.Events)));

        var came = ClusterComparison.Of(empty, default, full, default, n => n != "secret");
        var stayed = ClusterComparison.Of(full, default, full, default, n => n != "secret");

        Assert.Equal((0, 0, 0), (came.CameCount, came.WentCount, stayed.Stayed));
        Assert.Empty(came.Came);
        Assert.Equal((1, 700), (came.After.Pods, came.After.UsedMemoryMiB));
        Assert.Empty(came.After.Namespaces);
    }

    private static HashSet<Guid> Only(ClusterLedger one, ClusterLedger other) =>
        one.LiveByPod.Values.Select(l => l.Id).Except(other.LiveByPod.Values.Select(l => l.Id)).ToHashSet();

    private static ClusterLedger NodeOf(NodeLedger node) => ClusterLedger.Empty with { Nodes = ClusterLedger.Empty.Nodes.Add("n1", node) };

    private static ClusterComparison Compared(ClusterLedger a, ClusterLedger b) =>
        ClusterComparison.Of(ClusterSums.Empty.Of(a), default, ClusterSums.Empty.Of(b), default, _ => true);

    private static ClusterLedger Folded(IEnumerable<(long Position, DateTimeOffset At, string Stream, object Event)> log) =>
        log.Aggregate(ClusterLedger.Empty, (c, e) => ClusterLedger.Evolve(c, e.Stream, e.At, e.Event));
}
