using Hami.Domain.Admitting;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Domain.Quotas;
using Hami.Tests.Given;

namespace Hami.Tests.Quotas;

public sealed class AdmittingWithinAQuota
{
    private static readonly ClusterLedger HalfUsed =
        QuotaGiven.Cards(8000, 8000).With(new NamespaceQuota("q", 2000, null)).Placing(Asks.Pod("there", memoryMiB: 1000));

    [Theory]
    [Trait("Hami", "case 23")]
    [Trait("Hami", "case 24")]
    [Trait("Scoreboard", "G01")]
    [Trait("Scoreboard", "G03")]
    [Trait("Scoreboard", "A23")]
    [Trait("Scoreboard", "A24")]
    // 1000 of 2000 MiB are used
    [InlineData("a:1x100", null)]
    [InlineData("a:1x1000", null)]
    [InlineData("a:1x1024", "1024 MiB")]
    [InlineData("a:2x1024", "2048 MiB")]
    [InlineData("a:2x400", null)]
    [InlineData("a:1x600 a:1x600", "1200 MiB")]
    [InlineData("i:1x800 i:1x800 a:1x500", null)]
    [InlineData("i:1x1500 a:1x100", "1500 MiB")]
    [InlineData("s:1x600 a:1x600", "1200 MiB")]
    [InlineData("s:1x600 i:1x500 a:1x100", "1100 MiB")]
    [InlineData("i:1x900 s:1x600 a:1x100", null)]
    public void A_pod_that_would_take_more_than_is_left_is_denied(string containers, string? asked)
    {
        var admission = Admit(QuotaGiven.Pod("p", containers), HalfUsed);

        if (asked is null)
        {
            Assert.IsType<Admission.Allowed>(admission);
            return;
        }
        Assert.Equal(
            $"exceeding resource quota: the pod asks nvidia.com/gpumem {asked} in all, 1000 are left in namespace default; ask for less, wait until others end, or have the quota raised",
            Assert.IsType<Admission.Denied>(admission).Because.Sentence);
    }

    [Fact]
    [Trait("Hami", "case 25")]
    [Trait("Hami", "case 72")]
    [Trait("Scoreboard", "A23")]
    [Trait("Scoreboard", "G06")]
    public void What_init_containers_took_is_free_again_when_they_have_ended()
    {
        static PodAsk Twenty(string uid) => QuotaGiven.Pod(uid, "i:1x20000 a:1x10000");
        var cluster = QuotaGiven.Cards(24000, 24000).With(new NamespaceQuota("q", 30000, null));

        Assert.IsType<Admission.Allowed>(Admit(Twenty("first"), cluster));
        cluster = cluster.Placing(Twenty("first"));
        Assert.Equal(20000, cluster.Used().MemoryMiB);
        Assert.IsType<Admission.Denied>(Admit(Twenty("second"), cluster));

        cluster = cluster.Shrinking("first");
        Assert.Equal(10000, cluster.Used().MemoryMiB);
        Assert.IsType<Admission.Allowed>(Admit(Twenty("second"), cluster));

        // Seen again, it holds what it holds.
        cluster = cluster.After("n1", new NodeEvent.AllocationBound(cluster.LiveByPod["first"].Id));
        Assert.Equal(10000, cluster.Used().MemoryMiB);
        cluster = cluster.Releasing("first");
        Assert.Equal(QuotaUse.None, cluster.Used());
        Assert.Empty(cluster.Used);
    }

    [Theory]
    [Trait("Hami", "case 26")]
    [Trait("Scoreboard", "G04")]
    [InlineData("gpu=1 gpumem=500", "nvidia.com/gpumem 500 MiB in all, 0 are left")]
    [InlineData("gpu=1 gpumem-percentage=50", null)]
    [InlineData("cpu=1", null)]
    public void A_quota_of_nothing_leaves_nothing(string limits, string? because)
    {
        var admission = Admit(Pods.Shape("p", Pods.Written(limits)), ClusterLedger.Empty.With(new NamespaceQuota("q", 0, null)), NvidiaConfig.Hami);

        // What a percentage takes is known on a card alone; there it is refused.
        if (because is null)
            Assert.IsType<Admission.Allowed>(admission);
        else
            Assert.Contains(because, Assert.IsType<Admission.Denied>(admission).Because.Sentence, StringComparison.Ordinal);
    }

    [Theory]
    [Trait("Hami", "case 27")]
    [Trait("Scoreboard", "A12")]
    [InlineData("gpu=1 gpumem=1000", true)]
    [InlineData("gpu=1 gpumem=5000", false)]
    public void The_memory_factor_counts_for_the_quota_and_for_the_ask(string limits, bool allowed)
    {
        var nvidia = NvidiaConfig.Hami with { MemoryFactor = 2 };
        var quota = ReadQuota.Of(new("default", "q", new Dictionary<string, decimal?>(StringComparer.Ordinal) { ["limits.nvidia.com/gpumem"] = 2000 }), nvidia).Quota!;
        var cluster = QuotaGiven.Cards(8000).With(quota).Placing(Asks.Pod("there", memoryMiB: 1000));

        Assert.Equal(allowed, Admit(Pods.Shape("p", Pods.Written(limits)), cluster, nvidia) is Admission.Allowed);
    }

    [Fact]
    public void Both_resources_are_named_and_what_is_overdrawn_leaves_nothing()
    {
        var cluster = QuotaGiven.Cards(8000).With(new NamespaceQuota("q", 2000, 50)).Placing(Asks.Pod("there", memoryMiB: 2000)).With(new NamespaceQuota("q", 500, 50));

        Assert.StartsWith(
            "exceeding resource quota: the pod asks nvidia.com/gpumem 700 MiB in all, 0 are left and the pod asks nvidia.com/gpucores 60 percent in all, 50 are left in namespace default;",
            Assert.IsType<Admission.Denied>(Admit(QuotaGiven.Pod("p", "a:1x700/60"), cluster)).Because.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void The_cores_that_admission_adds_count_as_well() => Assert.Contains(
        "nvidia.com/gpucores 200 percent in all, 100 are left",
        Assert.IsType<Admission.Denied>(Admit(
            Pods.Shape("p", Pods.Written("gpu=2")), ClusterLedger.Empty.With(new NamespaceQuota("q", null, 100)), NvidiaConfig.Hami)).Because.Sentence,
        StringComparison.Ordinal);

    private static Admission Admit(PodAsk ask, ClusterLedger cluster) =>
        Admit(Pods.Shape("p", QuotaGiven.Shapes(ask)), cluster, NvidiaConfig.Hami);

    private static Admission Admit(PodShape pod, ClusterLedger cluster, NvidiaConfig nvidia) => AdmitPodDecider.Decide(
        new(pod, [.. pod.Containers.Select(_ => new ContainerVariables(new Dictionary<string, string?>(StringComparer.Ordinal)))], "", "", "", null),
        AdmissionRules.Hami with { Nvidia = nvidia }, cluster.RoomOf(pod.Namespace));
}
