using CsCheck;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Releasing;
using Hami.Tests.Given;

namespace Hami.Tests.Releasing;

/// <summary>What only init containers needed is given back when they have succeeded.</summary>
public sealed class ShrinkingAnAllocation
{
    private static readonly Guid Id = Guid.NewGuid();

    [Theory]
    [Trait("Hami", "case 71")]
    [Trait("Scoreboard", "A23")]
    // Each share as container kind, MiB and cores; what the pod takes of the card before and after its init containers end.
    [InlineData("i500/50 a100/10", "500/50/1", "100/10/1")]
    [InlineData("a100/0 a200/0", "300/0/2", "300/0/2")]
    [InlineData("i100/0 i300/0 i200/0 a50/0", "300/0/1", "50/0/1")]
    [InlineData("i20000/0 a10000/0", "20000/0/1", "10000/0/1")]
    public void A_pod_takes_the_larger_of_its_init_containers_and_its_apps_then_only_its_apps(string shares, string before, string after)
    {
        var cluster = Holding(shares);
        Assert.Equal(before, Used(cluster));
        Assert.Equal(after, Used(Shrunk(cluster)));
    }

    [Theory]
    [Trait("Scoreboard", "A24")]
    [InlineData("s2000/20 a1000/10", "3000/30/2", "3000/30/2")]
    [InlineData("s2000/20 i9000/0 a1000/10", "11000/30/2", "3000/30/2")]
    public void A_sidecar_counts_beside_the_apps_for_the_whole_life_of_the_pod(string shares, string before, string after)
    {
        var cluster = Holding(shares);
        Assert.Equal(before, Used(cluster));
        Assert.Equal(after, Used(Shrunk(cluster)));
    }

    [Fact]
    [Trait("Hami", "case 72")]
    public void The_namespaces_quota_gets_it_back_too_and_nothing_takes_it_again()
    {
        var cluster = Holding("i20000/0 a10000/0");
        Assert.Equal(new QuotaUse(20000, 0), cluster.Used["default"]);

        cluster = Shrunk(cluster);

        Assert.Equal(new QuotaUse(10000, 0), cluster.Used["default"]);
        Assert.Empty(ShrinkAllocationDecider.Decide(new("p", Id), cluster).Events);
        Assert.Equal("10000/0/1", Used(cluster));
    }

    [Fact]
    public void Different_cards_are_kept_apart()
    {
        var cluster = Shrunk(Placed([new(0, "i0", true, "GPU-b", 700, 7), new(1, "a1", false, "GPU-a", 100, 10)]));
        Assert.Equal("100/10/1", Used(cluster));
        Assert.Equal(default, NodeUse.Of("n1", cluster.Node("n1")).Uses[1]);
    }

    [Fact]
    public void An_allocation_without_ending_init_containers_and_one_that_is_another_shrink_to_nothing_new()
    {
        Assert.Empty(ShrinkAllocationDecider.Decide(new("p", Id), Holding("s1/1 a2/2")).Events);
        Assert.Empty(ShrinkAllocationDecider.Decide(new("p", Guid.NewGuid()), Holding("i1/1 a2/2")).Events);
        Assert.Empty(ShrinkAllocationDecider.Decide(new("q", Id), Holding("i1/1 a2/2")).Events);
    }

    [Fact]
    public void Shrink_and_release_return_exactly_what_was_taken() => AnyShares.Sample(shares =>
    {
        var cluster = Shrunk(Placed(shares));
        var left = shares.Where(s => !s.EndsBeforeApps).ToList();
        for (var i = 0; i < 2; i++)
            Assert.Equal(CardUse.Of(left, $"GPU-{(char)('a' + i)}"), NodeUse.Of("n1", cluster.Node("n1")).Uses[i]);
        cluster = Run(cluster, ReleaseAllocationDecider.Decide(new("p", Id, ReleaseReason.Completed), cluster));
        Assert.All(NodeUse.Of("n1", cluster.Node("n1")).Uses.ToArray(), use => Assert.Equal(default, use));
        Assert.Empty(cluster.Used);
    });

    private static readonly Gen<List<Share>> AnyShares = Gen.Select(Gen.Bool, Gen.Bool, Gen.Int[0, 9000], Gen.Int[0, 100]).List[1, 8].Select(
        all => all.Select((s, i) => new Share(i, $"c{i}", s.Item1, s.Item2 ? "GPU-a" : "GPU-b", s.Item3, s.Item4)).ToList());

    private static string Used(ClusterLedger cluster)
    {
        var use = NodeUse.Of("n1", cluster.Node("n1")).Uses[0];
        return $"{use.MemoryMiB}/{use.Cores}/{use.Slots}";
    }

    private static ClusterLedger Shrunk(ClusterLedger cluster) => Run(cluster, ShrinkAllocationDecider.Decide(new("p", Id), cluster));

    private static ClusterLedger Holding(string shares) => Placed([.. shares.Split(' ').Select((s, i) => new Share(
        i, $"c{i}", s[0] == 'i', "GPU-a", long.Parse(s[1..s.IndexOf('/')]), int.Parse(s[(s.IndexOf('/') + 1)..])))]);

    private static ClusterLedger Placed(List<Share> shares)
    {
        var cluster = Evolve(ClusterLedger.Empty, new NodeEvent.DevicesRegistered("n1", [Asks.Card("GPU-a"), Asks.Card("GPU-b", index: 1)]));
        return Evolve(cluster, new NodeEvent.AllocationPlaced(
            Id, "p", "default", "p", "n1", shares.Count, shares, new(0, 1, [], "binpack", "spread", 0, [])));
    }

    private static ClusterLedger Run(ClusterLedger cluster, Verdict<NodeEvent> verdict) => verdict.Events.Aggregate(cluster, Evolve);

    private static ClusterLedger Evolve(ClusterLedger cluster, NodeEvent happened) =>
        ClusterLedger.Evolve(cluster, Streams.Node("n1"), DateTimeOffset.UnixEpoch, happened);
}
