using Hami.Domain.Admitting;
using Hami.Domain.Binding;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Tests.Given;

namespace Hami.Tests.Admitting;

/// <summary>From the limits a user writes to the device list on the pod: admission, placement and the Binding's annotation together.</summary>
public sealed class AdmittedAndPlaced
{
    // An RTX 4090 or an A10 has this much.
    private const long CardMiB = 24564;

    [Theory]
    [Trait("Scoreboard", "A01")]
    [Trait("Scoreboard", "A02")]
    [Trait("Scoreboard", "A03")]
    [Trait("Scoreboard", "A04")]
    [Trait("Scoreboard", "A05")]
    [Trait("Scoreboard", "A06")]
    [Trait("Scoreboard", "A07")]
    [Trait("Scoreboard", "A09")]
    [Trait("Scoreboard", "A10")]
    [Trait("Scoreboard", "A11")]
    [InlineData("gpu=1", "", "n1-3,NVIDIA,24564,100")]
    [InlineData("gpu=3 gpumem=3000", "", "n1-3,NVIDIA,3000,0 n1-2,NVIDIA,3000,0 n1-1,NVIDIA,3000,0")]
    [InlineData("gpu=1 gpumem-percentage=50", "", "n1-3,NVIDIA,12282,0")]
    [InlineData("gpu=2 gpumem-percentage=50 gpucores=50", "", "n1-3,NVIDIA,12282,50 n1-2,NVIDIA,12282,50")]
    [InlineData("gpu=1 gpucores=30", "", "n1-3,NVIDIA,24564,30")]
    [InlineData("gpu=1 gpumem=3000 gpucores=150", "", "n1-3,NVIDIA,3000,100")]
    [InlineData("gpumem=3000", "", "n1-3,NVIDIA,3000,0")]
    [InlineData("gpu=1 gpumem=16Gi", "", "n1-3,NVIDIA,16384,0")]
    [InlineData("", "gpu=1 gpumem=3000 gpucores=30", "n1-3,NVIDIA,3000,30")]
    public void A_container_gets_what_its_limits_say(string limits, string requests, string devices) =>
        Assert.Equal($"{string.Concat(devices.Split(' ').Select(d => d + ":"))};", Devices(Place(Admitted("p", NvidiaConfig.Hami, Pods.Written(limits, requests)), Cards(4))));

    [Theory]
    [Trait("Scoreboard", "A05")]
    [Trait("Scoreboard", "A12")]
    [InlineData("gpu=1", "n1-0,NVIDIA,512,100:;")]
    [InlineData("gpu=1 gpumem=10", "n1-0,NVIDIA,2560,0:;")]
    public void The_admins_defaults_and_factor_reach_the_device_list(string limits, string devices) => Assert.Equal(
        devices, Devices(Place(Admitted("p", NvidiaConfig.Hami with { DefaultMemoryMiB = 512, MemoryFactor = 256 }, Pods.Written(limits)), Cards(1))));

    [Fact]
    [Trait("Scoreboard", "A04")]
    public void Two_halves_fill_a_cards_cores()
    {
        var half = Pods.Written("gpu=1 gpumem=1000 gpucores=50");
        var full = Place(Admitted("second", NvidiaConfig.Hami, half), Place(Admitted("first", NvidiaConfig.Hami, half), Cards(1)));

        Assert.Equal(["n1-0,NVIDIA,1000,50:;", "n1-0,NVIDIA,1000,50:;"], [Devices(full, "first"), Devices(full, "second")]);
        Assert.StartsWith("1/1 CardInsufficientCore", Refused(Admitted("third", NvidiaConfig.Hami, Pods.Written("gpu=1 gpumem=1000 gpucores=1")), full), StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Scoreboard", "A06")]
    public void A_whole_card_is_one_that_nobody_uses()
    {
        var used = Place(Admitted("first", NvidiaConfig.Hami, Pods.Written("gpu=1 gpumem=0 gpumem-percentage=1")), Cards(1));

        Assert.StartsWith("1/1 CardInsufficientMemory", Refused(Admitted("whole", NvidiaConfig.Hami, Pods.Written("gpu=1")), used), StringComparison.Ordinal);
        Assert.StartsWith(
            "1/1 ExclusiveDeviceAllocateConflict",
            Refused(Admitted("whole", NvidiaConfig.Hami with { DefaultMemoryMiB = 512 }, Pods.Written("gpu=1")), used), StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Scoreboard", "A22")]
    [Trait("Scoreboard", "F07")]
    public void Devices_stand_at_the_place_of_their_container() => Assert.Equal(
        ";n1-0,NVIDIA,500,0:;;n1-0,NVIDIA,3000,0:;;",
        Devices(Place(
            Admitted("p", NvidiaConfig.Hami,
                Pods.Written("", name: "i", isInit: true), Pods.Written("gpu=1 gpumem=500", name: "j", isInit: true),
                Pods.Written("cpu=1", name: "a"), Pods.Written("gpu=1 gpumem=3000", name: "b"), Pods.Written("", name: "c")),
            Cards(1))));

    [Fact]
    [Trait("Scoreboard", "A23")]
    public void An_init_container_counts_while_it_runs()
    {
        var cluster = Place(Admitted("p", NvidiaConfig.Hami, TwentyThenTen(isSidecar: false)), Cards(1));
        Assert.Equal(20480, cluster.Used["default"].MemoryMiB);

        cluster = ClusterLedger.Evolve(cluster, Streams.Node("n1"), default, new NodeEvent.AllocationShrunk(cluster.LiveByPod["p"].Id, "p"));
        Assert.Equal(10240, cluster.Used["default"].MemoryMiB);
    }

    [Fact]
    [Trait("Scoreboard", "A24")]
    public void A_sidecar_counts_beside_the_others_for_good()
    {
        var ask = Admitted("p", NvidiaConfig.Hami, TwentyThenTen(isSidecar: true));

        Assert.StartsWith("1/1 CardInsufficientMemory", Refused(ask, Cards(1)), StringComparison.Ordinal);
        var cluster = Place(ask, Cards(2));
        Assert.Equal(30720, cluster.Used["default"].MemoryMiB);
        cluster = ClusterLedger.Evolve(cluster, Streams.Node("n1"), default, new NodeEvent.AllocationShrunk(cluster.LiveByPod["p"].Id, "p"));
        Assert.Equal(30720, cluster.Used["default"].MemoryMiB);
    }

    private static ContainerShape[] TwentyThenTen(bool isSidecar) =>
        [Pods.Written("gpu=1 gpumem=20Gi", name: "i", isInit: true, isSidecar: isSidecar), Pods.Written("gpu=1 gpumem=10Gi", name: "a")];

    private static PodAsk Admitted(string uid, NvidiaConfig nvidia, params ContainerShape[] containers)
    {
        var pod = Pods.Shape("p", containers) with { Uid = uid };
        var admission = AdmitPodDecider.Decide(
            new(pod, [.. containers.Select(_ => new ContainerVariables(new Dictionary<string, string?>(StringComparer.Ordinal)))], "", "", "", null),
            AdmissionRules.Hami with { Nvidia = nvidia }, QuotaRoom.Unlimited);
        foreach (var limit in Assert.IsType<Admission.Allowed>(admission).Changes.OfType<PodChange.Limit>())
        {
            containers[limit.Container] = containers[limit.Container] with
            {
                Limits = new Dictionary<string, decimal>(containers[limit.Container].Limits, StringComparer.Ordinal) { [limit.Resource] = limit.Value },
            };
        }
        var (ask, refusal) = PodAskParser.Parse(pod with { Containers = containers }, nvidia, PlacementPolicy.Default);
        Assert.Null(refusal);
        return ask;
    }

    private static ClusterLedger Cards(int count) => ClusterLedger.Evolve(ClusterLedger.Empty, Streams.Node("n1"), default, new NodeEvent.DevicesRegistered(
        "n1", [.. Enumerable.Range(0, count).Select(i => Asks.Card($"n1-{i}", memoryMiB: CardMiB, index: i))]));

    private static ClusterLedger Place(PodAsk ask, ClusterLedger cluster)
    {
        var verdict = PlaceAllocationDecider.Decide(Asks.Place(ask, "n1"), cluster);
        Assert.Null(verdict.Refusal);
        return verdict.Events.Aggregate(cluster, (c, e) => ClusterLedger.Evolve(c, Streams.Node("n1"), default, e));
    }

    private static string Refused(PodAsk ask, ClusterLedger cluster) => PlaceAllocationDecider.Decide(Asks.Place(ask, "n1"), cluster).Refusal!.Sentence;

    private static string Devices(ClusterLedger cluster, string uid = "p") =>
        BindingAnnotations.Annotations(cluster.AllocationOf(uid)!, "n1", DateTimeOffset.UnixEpoch)[HamiKeys.DevicesAllocated];
}
