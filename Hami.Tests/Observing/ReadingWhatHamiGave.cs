using Hami.Domain.Ledger;
using Hami.Domain.Observing;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Tests.Given;

namespace Hami.Tests.Observing;

/// <summary>Pods that HAMi v2.10 placed, from their annotations.</summary>
public sealed class ReadingWhatHamiGave
{
    private const string A = "GPU-a,NVIDIA,3000,30:";
    private const string B = "GPU-b,NVIDIA,4000,40:";
    private const string Instance = """{"containerIndex":0,"deviceIndex":0,"gpuUUID":"GPU-a","profile":"2g.10gb","placement":{"start":2,"size":2}}""";
    private const string NextInstance = """{"containerIndex":0,"deviceIndex":1,"gpuUUID":"GPU-a","profile":"1g.5gb","placement":{"start":6,"size":1}}""";

    [Theory]
    [Trait("Hami", "case 67")]
    [InlineData("aligned", "0 1 0", $";{A};;", "1:GPU-a")]
    [InlineData("aligned, grown by the plugin", "0 1 0", $";{A};;;;", "1:GPU-a")]
    [InlineData("compacted", "0 1 0", $"{A};", "1:GPU-a")]
    [InlineData("aligned, init containers first", "i0 i1 1", $";{A};{B};", "1i:GPU-a 2:GPU-b")]
    [InlineData("compacted behind a plain init container", "i0 1", $"{A};", "1:GPU-a")]
    [InlineData("compacted, several", "i0 i1 0 2", $"{A};{A}{B};", "1i:GPU-a 3:GPU-a 3:GPU-b")]
    [InlineData("a sidecar stays", "s1 1", $"{A};{B};", "0:GPU-a 1:GPU-b")]
    public void Its_entries_go_to_the_containers_that_they_were_for(string what, string containers, string list, string shares) =>
        Assert.True(shares == Shares(Read(containers, list)), what);

    [Theory]
    [Trait("Hami", "case 32")]
    [InlineData("1", "uuid,type,100:;", "cannot be read")]
    [InlineData("1 1", $"{A};{B};{A};", "has 3 entries, but the pod 2 containers, 2 of which ask for cards")]
    [InlineData("1", "GPU-a,NVIDIA,-5,0:;", "gives -5 MiB")]
    [InlineData("1", ",NVIDIA,5,0:;", "of card \"\"")]
    public void What_cannot_be_read_is_a_sentence(string containers, string list, string why) =>
        Assert.Contains(why, Read(containers, list)!.Fault, StringComparison.Ordinal);

    [Fact]
    public void A_pod_that_runs_elsewhere_than_its_annotation_says_is_a_sentence() =>
        Assert.Equal("the annotation hami.io/vgpu-node says n1, but the pod is on n2", Read("1", $"{A};", node: "n2")!.Fault);

    [Fact]
    public void A_pod_without_the_annotations_is_none_of_HAMis() =>
        Assert.Null(ForeignShares.Read(Pods.Shape("p", Pods.Container("main", gpu: 1)), "n1", NvidiaConfig.Hami));

    [Theory]
    [Trait("Hami", "case 74")]
    [InlineData("its own", $"{A};", $"[{Instance}]", "2g.10gb@2+2")]
    [InlineData("two on one card", $"{A}{A};", $"[{NextInstance},{Instance}]", "2g.10gb@2+2 1g.5gb@6+1")]
    [InlineData("one that the list lacks is there all the same", $"{A};", $"[{Instance},{NextInstance}]", "2g.10gb@2+2 1g.5gb@6+1")]
    [InlineData("with what the plugin added", $"{A};", """[{"containerIndex":0,"deviceIndex":0,"gpuUUID":"GPU-a","profile":"1g.5gb","placement":{"start":0,"size":1},"migUUID":"MIG-x","gpuInstanceID":0,"computeInstanceID":0}]""", "1g.5gb@0+1")]
    [InlineData("numbered otherwise", $"{A};", """[{"containerIndex":7,"deviceIndex":3,"gpuUUID":"GPU-a","profile":"1g.5gb","placement":{"start":0,"size":1}}]""", "1g.5gb@0+1")]
    [InlineData("unreadable: nobody else may be put on the card", $"{A};", "oops", "unknown@0+64")]
    public void Its_MIG_instances_are_taken_over(string what, string list, string mig, string slices) => Assert.True(
        slices == string.Join(' ', Read("2", list, mig: mig)!.Shares.Select(s => $"{s.Mig!.Profile}@{s.Mig.Start}+{s.Mig.Size}")), what);

    [Fact]
    [Trait("Hami", "case 73")]
    public void A_share_of_a_card_that_the_node_does_not_have_takes_nothing_of_those_it_has()
    {
        var cluster = With(Asks.Card("GPU-x"), Asks.Card("GPU-b"));

        var use = NodeUse.Of("n1", Adopted(cluster, "2", $"{A}{B};").Node("n1"));

        Assert.Equal(default, use.Uses[0]);
        Assert.True(use.Cards[0].Healthy);
        Assert.Equal(4000, use.Uses[1].MemoryMiB);
        Assert.Equal(
            "card GPU-a, which the node does not have",
            AdoptAllocationDecider.Decide(Adopt("1", $"{A};"), cluster).Refusal!.Sentence);
    }

    [Theory]
    [InlineData("as asked", "1", "GPU-a,NVIDIA,4000,40:;", "0:GPU-a 4000/40", "")]
    [InlineData("less than asked", "1", "GPU-a,NVIDIA,1,0:;", "0:GPU-a 1/0", "")]
    [InlineData("a container that asks for none", "0 1", "GPU-b,NVIDIA,4000,40:;GPU-a,NVIDIA,4000,40:;", "1:GPU-a 4000/40", "cards of container c0, which asks for none")]
    [InlineData("more cards", "1", "GPU-a,NVIDIA,1000,10:GPU-b,NVIDIA,1000,10:GPU-b,NVIDIA,1000,10:;", "0:GPU-a 1000/10", "cards of container c0 beyond the 1 that it asks for")]
    [InlineData("cards of another node", "1", "GPU-z,NVIDIA,1000,10:GPU-b,NVIDIA,1000,10:;", "0:GPU-b 1000/10", "card GPU-z, which the node does not have")]
    [InlineData("more memory", "1", "GPU-a,NVIDIA,40000,0:;", "0:GPU-a 4000/0", "memory of card GPU-a beyond the 4000 MiB that container c0 asks for")]
    [InlineData("more cores", "1", "GPU-a,NVIDIA,0,100:;", "0:GPU-a 0/40", "cores of card GPU-a beyond the 40 that container c0 asks for")]
    public void What_its_spec_does_not_ask_is_left_out(string what, string containers, string list, string taken, string left)
    {
        var cluster = With(Asks.Card("GPU-a"), Asks.Card("GPU-b"));

        var adopted = Assert.IsType<NodeEvent.AllocationAdopted>(Assert.Single(AdoptAllocationDecider.Decide(Adopt(containers, list), cluster).Events));

        Assert.True(taken == string.Join(' ', adopted.Shares.Select(s => $"{s.ContainerIndex}:{s.DeviceUuid} {s.MemoryMiB}/{s.Cores}")), what);
        Assert.EndsWith(left.Length == 0 ? "" : $"; left out: {left}", adopted.Source, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("an instance that the card can have, larger than what was asked", "mig", """{"profile":"2g.10gb","placement":{"start":2,"size":2}}""", "2g.10gb@2+2 9856/40")]
    [InlineData("one that it cannot have", "mig", """{"profile":"2g.10gb","placement":{"start":2,"size":6}}""", "unknown@0+64 4000/40")]
    [InlineData("a card that is not cut", "hami-core", """{"profile":"2g.10gb","placement":{"start":2,"size":2}}""", " 4000/40")]
    public void A_MIG_instance_is_taken_over_as_the_card_can_have_it(string what, string mode, string instance, string taken)
    {
        var cluster = With(Asks.Card("GPU-a") with { Mode = mode, MigProfiles = [new("2g.10gb", 9856, 28, 2, [new(0, 2), new(2, 2), new(4, 2)])] });

        var found = Read("1", "GPU-a,NVIDIA,9856,100:;", mig: $"[{instance.Replace("{\"profile", "{\"containerIndex\":0,\"deviceIndex\":0,\"gpuUUID\":\"GPU-a\",\"profile", StringComparison.Ordinal)}]")!;
        var adopted = (NodeEvent.AllocationAdopted)Assert.Single(AdoptAllocationDecider.Decide(Adopt("1", "") with { Found = found }, cluster).Events);

        Assert.True(taken == string.Join(' ', adopted.Shares.Select(s => $"{(s.Mig is { } m ? $"{m.Profile}@{m.Start}+{m.Size}" : "")} {s.MemoryMiB}/{s.Cores}")), what);
    }

    [Fact]
    public void Thousands_of_forged_cards_become_a_short_sentence()
    {
        var list = string.Concat(Enumerable.Range(0, 4000).Select(i => $"GPU-forged-{i},NVIDIA,1,1:")) + A + ";";

        var adopted = (NodeEvent.AllocationAdopted)Assert.Single(AdoptAllocationDecider.Decide(Adopt("1", list), With(Asks.Card("GPU-a"))).Events);

        Assert.Single(adopted.Shares);
        Assert.EndsWith("; and 3997 more", adopted.Source, StringComparison.Ordinal);
        Assert.InRange(adopted.Source.Length, 0, 500);
    }

    [Fact]
    [Trait("Scoreboard", "H09")]
    public void It_is_adopted_once_and_may_be_more_than_a_card_has()
    {
        var cluster = With(Asks.Card("GPU-a", memoryMiB: 1000));

        cluster = Adopted(cluster, "1", $"{A};");

        Assert.Equal(3000, NodeUse.Of("n1", cluster.Node("n1")).Uses[0].MemoryMiB);
        Assert.Equal(new QuotaUse(3000, 30), cluster.Used["default"]);
        Assert.Empty(AdoptAllocationDecider.Decide(Adopt("1", $"{A};"), cluster).Events);
    }

    [Fact]
    public void A_pod_that_holds_nothing_is_not_adopted() =>
        Assert.Empty(AdoptAllocationDecider.Decide(Adopt("0", ";"), ClusterLedger.Empty).Events);

    private static ClusterLedger Adopted(ClusterLedger cluster, string containers, string list) => AdoptAllocationDecider
        .Decide(Adopt(containers, list), cluster).Events
        .Aggregate(cluster, (c, e) => ClusterLedger.Evolve(c, Streams.Node("n1"), DateTimeOffset.UnixEpoch, e));

    private static ClusterLedger With(params Card[] cards) => ClusterLedger.Evolve(
        ClusterLedger.Empty, Streams.Node("n1"), DateTimeOffset.UnixEpoch, new NodeEvent.DevicesRegistered("n1", cards));

    private static AdoptAllocation Adopt(string containers, string list) =>
        new(Guid.NewGuid(), "uid-p", "default", "p", "n1", Read(containers, list)!, IsAttached: true);

    private static string Shares(ForeignShares? read) =>
        string.Join(' ', read!.Shares.Select(s => $"{s.ContainerIndex}{(s.EndsBeforeApps ? "i" : "")}:{s.DeviceUuid}"));

    /// <param name="containers">Cards that each asks; <c>i</c> before it for an init container, <c>s</c> for a sidecar.</param>
    private static ForeignShares? Read(string containers, string list, string node = "n1", string? mig = null)
    {
        var pod = Pods.Shape("p", [.. containers.Split(' ').Select((c, i) => Pods.Container(
            $"c{i}", gpu: c[^1] - '0', mem: 4000, cores: 40, isInit: c.Length > 1, isSidecar: c[0] == 's'))]);
        var annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [HamiKeys.PodNode] = "n1", [HamiKeys.DevicesAllocated] = list };
        if (mig is not null)
            annotations[HamiKeys.MigAllocations] = mig;
        return ForeignShares.Read(pod with { Annotations = annotations }, node, NvidiaConfig.Hami);
    }
}
