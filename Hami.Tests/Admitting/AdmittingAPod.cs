using Hami.Domain.Admitting;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Tests.Given;

namespace Hami.Tests.Admitting;

public sealed class AdmittingAPod
{
    [Theory]
    // gpu, gpumem, percentage, cores → limits added
    [InlineData(1, null, null, null, "nvidia.com/gpucores=100")]
    [InlineData(1, null, 100, null, "nvidia.com/gpucores=100")]
    [InlineData(1, null, 50, null, "")]
    [InlineData(1, 8192, null, null, "")]
    [InlineData(1, null, null, 70, "")]
    [InlineData(null, null, null, 30, "nvidia.com/gpu=1")]
    [InlineData(null, 3000, null, null, "nvidia.com/gpu=1")]
    [InlineData(null, null, 50, null, "nvidia.com/gpu=1")]
    [InlineData(2, null, 0, null, "")]
    public void A_pod_that_asks_for_cards_is_handed_over_with_the_missing_limits(int? gpu, int? mem, int? percent, int? cores, string added)
    {
        var handOver = Assert.IsType<Admission.HandOver>(Admit(Pods.Container("main", gpu, mem, percent, cores)));

        Assert.Equal("hami-scheduler", handOver.SchedulerName);
        Assert.Equal(added, string.Join(",", handOver.Limits.Select(l => $"{l.Resource}={l.Value}")));
    }

    [Fact]
    public void A_pod_without_our_resources_passes_untouched() =>
        Assert.IsType<Admission.Untouched>(Admit(Pods.Container("main")));

    [Theory]
    [InlineData("", true)]
    [InlineData("default-scheduler", true)]
    [InlineData("hami-scheduler", true)]
    [InlineData("volcano", false)]
    public void A_pod_of_another_scheduler_passes_untouched(string scheduler, bool ours) =>
        Assert.Equal(ours, Admit(Pods.Container("main", 1), scheduler) is Admission.HandOver);

    [Fact]
    public void A_privileged_container_would_see_every_card() =>
        Assert.Contains("container main is privileged", Denied(Admit(Pods.Container("main", 1), privileged: "main")), StringComparison.Ordinal);

    [Fact]
    public void A_pod_that_chose_its_node_is_denied() =>
        Assert.Contains("pod has node assigned", Denied(Admit(Pods.Container("main", 1), node: "n1")), StringComparison.Ordinal);

    [Fact]
    public void A_pod_without_containers_is_denied() => Assert.Equal("pod has no containers", Denied(AdmitAll()));

    [Fact]
    public void A_percentage_beyond_100_is_denied_in_a_sentence() => Assert.Equal(
        "container main asks nvidia.com/gpumem-percentage: 101, but it must be a whole number from 0 to 100",
        Denied(Admit(Pods.Container("main", 1, percent: 101))));

    [Fact]
    public void Init_containers_get_their_defaults_too()
    {
        var handOver = Assert.IsType<Admission.HandOver>(AdmitAll(Pods.Container("init", 1, isInit: true), Pods.Container("main", 1, 100)));

        Assert.Equal([new AddedLimit(0, "nvidia.com/gpucores", 100)], handOver.Limits);
    }

    private static string Denied(Admission admission) => Assert.IsType<Admission.Denied>(admission).Because.Sentence;

    private static Admission Admit(ContainerShape container, string scheduler = "", string node = "", string? privileged = null) =>
        AdmitPodDecider.Decide(new(Pods.Shape("p", container), scheduler, node, privileged), AdmissionDefaults.Hami, ResourceNames.Nvidia);

    private static Admission AdmitAll(params ContainerShape[] containers) =>
        AdmitPodDecider.Decide(new(Pods.Shape("p", containers), "", "", null), AdmissionDefaults.Hami, ResourceNames.Nvidia);
}
