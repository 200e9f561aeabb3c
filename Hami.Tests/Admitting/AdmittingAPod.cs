using Hami.Domain.Admitting;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Tests.Given;

namespace Hami.Tests.Admitting;

public sealed class AdmittingAPod
{
    private static readonly NvidiaConfig Nvidia = NvidiaConfig.Hami;

    [Theory]
    [Trait("Hami", "case 12")]
    [Trait("Hami", "case 13")]
    [Trait("Hami", "case 14")]
    [Trait("Hami", "case 15")]
    [Trait("Scoreboard", "A06")]
    [Trait("Scoreboard", "A07")]
    // limits, requests beside → limits added
    [InlineData("gpu=1", "", "nvidia.com/gpucores=100")]
    [InlineData("gpu=1 gpumem-percentage=100", "", "nvidia.com/gpucores=100")]
    [InlineData("gpu=1", "gpumem-percentage=100", "nvidia.com/gpucores=100")]
    [InlineData("gpu=1 gpumem-percentage=50", "", "")]
    [InlineData("gpu=1", "gpumem-percentage=50", "")]
    [InlineData("gpu=1 gpumem=8192", "", "")]
    [InlineData("gpu=1", "gpumem=8192", "")]
    [InlineData("gpu=1 gpucores=70", "", "")]
    [InlineData("gpu=1", "gpucores=55", "")]
    [InlineData("gpu=2 gpumem-percentage=0", "", "")]
    [InlineData("", "gpu=1", "nvidia.com/gpucores=100")]
    [InlineData("gpucores=30", "", "nvidia.com/gpu=1")]
    [InlineData("gpumem=3000", "", "nvidia.com/gpu=1")]
    [InlineData("gpumem-percentage=50", "", "nvidia.com/gpu=1")]
    [InlineData("gpumem-percentage=100", "", "nvidia.com/gpu=1,nvidia.com/gpucores=100")]
    public void A_pod_that_asks_for_cards_is_handed_over_with_the_missing_limits(string limits, string requests, string added)
    {
        var changes = Changes(Admit(Pods.Written(limits, requests)));

        Assert.Contains(new PodChange.SchedulerName("hami-scheduler"), changes);
        Assert.Equal(added, string.Join(",", changes.OfType<PodChange.Limit>().Select(l => $"{l.Resource}={l.Value}")));
    }

    [Theory]
    [Trait("Scoreboard", "A07")]
    [Trait("Scoreboard", "A15")]
    [InlineData("", 1)]
    [InlineData("cpu=1 example.com/x=1", 1)]
    [InlineData("gpu=0", 1)]
    [InlineData("gpu=0 gpumem=3000", 1)]
    [InlineData("priority=1", 1)]
    [InlineData("gpumem=3000", 0)]
    public void A_pod_that_asks_for_no_card_passes_unchanged(string limits, int defaultCount) =>
        AssertUnchanged(Admit(Pods.Written(limits), rules: With(Nvidia with { DefaultGpuCount = defaultCount })));

    [Fact]
    [Trait("Scoreboard", "A07")]
    public void The_count_added_is_the_admins() => Assert.Contains(
        new PodChange.Limit(0, "nvidia.com/gpu", 2), Changes(Admit(Pods.Written("gpumem=3000"), rules: With(Nvidia with { DefaultGpuCount = 2 }))));

    [Fact]
    [Trait("Scoreboard", "A14")]
    public void Renamed_resources_alone_are_ours()
    {
        var rules = With(Nvidia with { ResourceNames = new("example.com/vgpu", "example.com/mem", "example.com/share", "example.com/cores", "example.com/priority") });

        AssertUnchanged(Admit(Pods.Written("gpu=1 gpucores=900"), rules: rules));
        Assert.Equal(
            [new PodChange.Limit(0, "example.com/cores", 100), new PodChange.SchedulerName("hami-scheduler")],
            Changes(Admit(Pods.Written("example.com/vgpu=1"), rules: rules)));
    }

    [Theory]
    [Trait("Hami", "case 21")]
    [Trait("Hami", "case 22")]
    [Trait("Scoreboard", "A15")]
    [Trait("Scoreboard", "A16")]
    // scheduler of the pod, ours, whether the default scheduler's pods are taken → scheduler afterwards
    [InlineData("", "hami-scheduler", true, "hami-scheduler")]
    [InlineData("", "hami-scheduler", false, "hami-scheduler")]
    [InlineData("default-scheduler", "hami-scheduler", true, "hami-scheduler")]
    [InlineData("default-scheduler", "hami-scheduler", false, null)]
    [InlineData("hami-scheduler", "hami-scheduler", true, "as it was")]
    [InlineData("different-scheduler", "hami-scheduler", true, null)]
    [InlineData("different-scheduler", "", true, null)]
    [InlineData("default-scheduler", "", true, "as it was")]
    [InlineData("", "", true, "as it was")]
    public void A_pod_of_another_scheduler_passes_unchanged(string scheduler, string ours, bool force, string? afterwards)
    {
        var admission = Admit(Pods.Written("gpu=1"), scheduler, rules: new(ours, force, Nvidia));

        if (afterwards is null)
        {
            AssertUnchanged(admission);
            Assert.Equal("pod already has different scheduler assigned", ((Admission.Allowed)admission).Message);
            return;
        }
        Assert.Contains(new PodChange.Limit(0, "nvidia.com/gpucores", 100), Changes(admission));
        Assert.Equal(afterwards, Changes(admission).OfType<PodChange.SchedulerName>().SingleOrDefault()?.Name ?? "as it was");
    }

    [Theory]
    [Trait("Scoreboard", "A18")]
    [InlineData("gpu=1", true)]
    [InlineData("", false)]
    public void A_privileged_container_beside_cards_is_denied(string limits, bool denied)
    {
        var admission = Admit(Pods.Written(limits), privileged: "other");

        if (denied)
            Assert.StartsWith("container other is privileged", Denied(admission), StringComparison.Ordinal);
        else
            AssertUnchanged(admission);
    }

    [Theory]
    [Trait("Hami", "case 21")]
    [Trait("Scoreboard", "A17")]
    [InlineData("gpu=1", "hami-scheduler", true)]
    [InlineData("gpu=1", "", false)]
    [InlineData("", "hami-scheduler", false)]
    public void A_pod_with_cards_that_chose_its_node_is_denied(string limits, string ours, bool denied)
    {
        var admission = Admit(Pods.Written(limits), node: "n1", rules: new(ours, true, Nvidia));

        if (denied)
            Assert.Equal("pod has node assigned; remove spec.nodeName, use spec.nodeSelector to prefer a node", Denied(admission));
        else
            Assert.IsType<Admission.Allowed>(admission);
    }

    [Fact]
    [Trait("Hami", "case 21")]
    public void A_pod_without_app_containers_is_denied()
    {
        Assert.Equal("pod has no containers", Denied(AdmitAll([])));
        Assert.Equal("pod has no containers", Denied(AdmitAll([Pods.Written("gpu=1", isInit: true)])));
    }

    [Theory]
    [Trait("Hami", "case 16")]
    [Trait("Scoreboard", "A08")]
    [Trait("Scoreboard", "A10")]
    [InlineData("gpu=1 gpumem-percentage=0", null)]
    [InlineData("gpu=1 gpumem-percentage=100", null)]
    [InlineData("gpu=1 gpumem-percentage=101", "invalid nvidia.com/gpumem-percentage value 101 in container main: must be an integer between 0 and 100")]
    [InlineData("gpu=1 gpumem-percentage=150", "invalid nvidia.com/gpumem-percentage value 150 in container main: must be an integer between 0 and 100")]
    [InlineData("gpu=1 gpumem-percentage=-1", "invalid nvidia.com/gpumem-percentage value -1 in container main: must be an integer between 0 and 100")]
    [InlineData("gpumem-percentage=50500m", "invalid nvidia.com/gpumem-percentage value 50.5 in container main: must be an integer between 0 and 100")]
    [InlineData("gpu=1 gpumem=2000000", "invalid nvidia.com/gpumem value 2000000 in container main: is neither MiB")]
    [InlineData("gpu=1 gpumem=-1", "invalid nvidia.com/gpumem value -1 in container main: must be a whole number of MiB")]
    [InlineData("gpu=5000", "invalid nvidia.com/gpu value 5000 in container main: must be a whole number from 0 to 1024")]
    [InlineData("gpu=1 gpucores=-1", "invalid nvidia.com/gpucores value -1 in container main: must be a whole number from 0 on")]
    [InlineData("gpu=1 priority=-1", "invalid nvidia.com/priority value -1 in container main: must be a whole number from 0 on: 0 for high, 1 for low")]
    [InlineData("gpu=1 priority=500m", "invalid nvidia.com/priority value 0.5 in container main")]
    public void A_value_out_of_range_is_denied_in_a_sentence(string limits, string? sentence) => AssertDenied(sentence, Admit(Pods.Written(limits)));

    [Theory]
    [InlineData(HamiKeys.NodePolicy, "spread", null)]
    [InlineData(HamiKeys.NodePolicy, "", null)]
    [InlineData(HamiKeys.NodePolicy, "packed", "invalid hami.io/node-scheduler-policy annotation \"packed\": must be binpack, spread or fragmentation")]
    [InlineData(HamiKeys.GpuPolicy, "binpack,numa", null)]
    [InlineData(HamiKeys.GpuPolicy, "binpack,fast", "invalid hami.io/gpu-scheduler-policy annotation \"binpack,fast\": must be binpack, spread, topology-aware")]
    [InlineData(HamiKeys.ScoringWeights, "slot=1, core=1, memory=3", null)]
    [InlineData(HamiKeys.ScoringWeights, "slot=1,core=1", "invalid hami.io/device-scoring-weights annotation \"slot=1,core=1\": it must be slot=N,core=N,memory=N")]
    [InlineData(HamiKeys.ScoringWeights, "", "invalid hami.io/device-scoring-weights annotation")]
    [InlineData(HamiKeys.NumaBind, "TRUE", null)]
    [InlineData(HamiKeys.NumaBind, "yes", "invalid nvidia.com/numa-bind annotation \"yes\": must be true or false")]
    [InlineData(HamiKeys.GpuMode, "mig,hami-core", null)]
    [InlineData(HamiKeys.GpuMode, "vgpu", "invalid nvidia.com/vgpu-mode annotation \"vgpu\": must be hami-core, mig, mps")]
    public void A_wish_nobody_can_read_is_denied_where_cards_are_asked(string key, string value, string? sentence)
    {
        AssertDenied(sentence, Admit(Pods.Written("gpu=1"), annotations: [(key, value)]));
        AssertUnchanged(Admit(Pods.Written(""), annotations: [(key, value)]));
    }

    [Fact]
    [Trait("Scoreboard", "A22")]
    public void Every_container_gets_its_own_defaults()
    {
        var changes = Changes(AdmitAll([Pods.Written("", isInit: true), Pods.Written("gpu=1", isInit: true), Pods.Written("gpu=1 gpumem=100"), Pods.Written("gpucores=5")]));

        Assert.Equal([new(1, "nvidia.com/gpucores", 100), new PodChange.Limit(3, "nvidia.com/gpu", 1)], changes.OfType<PodChange.Limit>());
    }

    [Theory]
    [Trait("Hami", "case 17")]
    [Trait("Scoreboard", "A13")]
    [InlineData("gpu=1 priority=5", "", "CUDA_TASK_PRIORITY=5")]
    [InlineData("gpu=1 priority=0", "CUDA_TASK_PRIORITY=1", "CUDA_TASK_PRIORITY=0")]
    [InlineData("gpu=1 priority=1", "CUDA_TASK_PRIORITY=1", "")]
    [InlineData("gpu=1", "CUDA_TASK_PRIORITY=1", "")]
    [InlineData("priority=1", "", "")]
    public void The_priority_limit_becomes_the_variable_instead_of_the_pods_own(string limits, string environment, string variables) =>
        Assert.Equal(variables, Variables(Admit(Pods.Written(limits), environment: environment)));

    [Theory]
    [Trait("Hami", "case 18")]
    [Trait("Scoreboard", "A25")]
    [InlineData(GpuCorePolicy.Force, "gpu=1", "", "GPU_CORE_UTILIZATION_POLICY=force")]
    [InlineData(GpuCorePolicy.Disable, "gpu=1", "", "GPU_CORE_UTILIZATION_POLICY=disable")]
    [InlineData(GpuCorePolicy.Force, "gpu=1", "GPU_CORE_UTILIZATION_POLICY=disable", "GPU_CORE_UTILIZATION_POLICY=force")]
    [InlineData(GpuCorePolicy.Force, "gpu=1", "GPU_CORE_UTILIZATION_POLICY=force", "")]
    [InlineData(GpuCorePolicy.Force, "", "", "")]
    [InlineData(GpuCorePolicy.Default, "gpu=1", "", "")]
    [InlineData(GpuCorePolicy.Default, "gpu=1", "GPU_CORE_UTILIZATION_POLICY=force", "")]
    [InlineData(GpuCorePolicy.Default, "gpu=1", "GPU_CORE_UTILIZATION_POLICY=disable", "GPU_CORE_UTILIZATION_POLICY=default")]
    [InlineData(GpuCorePolicy.Default, "gpu=1", "GPU_CORE_UTILIZATION_POLICY", "GPU_CORE_UTILIZATION_POLICY=default")]
    [InlineData(GpuCorePolicy.Default, "gpu=1", "*", "GPU_CORE_UTILIZATION_POLICY=default")]
    [InlineData(GpuCorePolicy.Force, "gpu=1", "*", "GPU_CORE_UTILIZATION_POLICY=force")]
    [InlineData(GpuCorePolicy.Default, "gpu=1", "* GPU_CORE_UTILIZATION_POLICY=force", "")]
    [InlineData(GpuCorePolicy.Default, "", "*", "")]
    public void The_admins_compute_policy_reaches_containers_with_cards_and_the_pod_cannot_loosen_it(
        GpuCorePolicy policy, string limits, string environment, string variables) =>
        Assert.Equal(variables, Variables(Admit(Pods.Written(limits), environment: environment, rules: With(Nvidia with { GpuCorePolicy = policy }))));

    [Theory]
    [Trait("Hami", "case 19")]
    [Trait("Scoreboard", "A20")]
    [InlineData(true, "", "", "NVIDIA_VISIBLE_DEVICES=none")]
    [InlineData(true, "gpu=0", "", "NVIDIA_VISIBLE_DEVICES=none")]
    [InlineData(true, "", "NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_VISIBLE_DEVICES=none")]
    [InlineData(true, "", "NVIDIA_VISIBLE_DEVICES=none", "")]
    [InlineData(true, "gpu=1", "", "")]
    [InlineData(false, "", "NVIDIA_VISIBLE_DEVICES=all", "")]
    public void Containers_without_cards_see_none_where_the_admin_wants_that(bool overwrite, string limits, string environment, string variables)
    {
        var admission = Admit(Pods.Written(limits), environment: environment, rules: With(Nvidia with { OverwriteEnv = overwrite }));

        Assert.Equal(variables, Variables(admission));
        Assert.Equal(limits == "gpu=1", Changes(admission).OfType<PodChange.SchedulerName>().Any());
    }

    [Fact]
    public void The_author_is_told_when_a_variable_of_the_pod_is_replaced()
    {
        var rules = With(Nvidia with { OverwriteEnv = true });

        Assert.Equal(
            ["container main: the environment variable NVIDIA_VISIBLE_DEVICES is none by the cluster's rules, what the pod said was replaced"],
            Assert.IsType<Admission.Allowed>(Admit(Pods.Written(""), environment: "NVIDIA_VISIBLE_DEVICES=all", rules: rules)).Warnings);
        Assert.Empty(Assert.IsType<Admission.Allowed>(Admit(Pods.Written(""), rules: rules)).Warnings);
    }

    [Theory]
    [Trait("Hami", "case 20")]
    [Trait("Scoreboard", "A19")]
    [InlineData("nvidia", "gpu=1", "", "nvidia")]
    [InlineData("nvidia", "gpu=1", "kata", null)]
    [InlineData("nvidia", "", "", null)]
    [InlineData("", "gpu=1", "", null)]
    public void The_runtime_class_is_the_admins_where_the_pod_names_none(string configured, string limits, string own, string? afterwards)
    {
        var admission = Admit(Pods.Written(limits), runtimeClass: own, rules: With(Nvidia with { RuntimeClassName = configured }));

        Assert.Equal(afterwards, Changes(admission).OfType<PodChange.RuntimeClass>().SingleOrDefault()?.Name);
    }

    [Theory]
    [InlineData("gpu=1", "")]
    [InlineData("", "")]
    [InlineData("gpu=1", "different-scheduler")]
    public void Results_that_a_pod_brings_along_are_removed_and_its_author_is_told(string limits, string scheduler)
    {
        string[] results =
        [
            HamiKeys.PodNode, HamiKeys.PodTime, HamiKeys.DevicesToAllocate, HamiKeys.DevicesAllocated, HamiKeys.MigAllocations, HamiKeys.BindPhase, HamiKeys.BindTime,
            HamiKeys.AllocationId, HamiKeys.Wake, HamiKeys.BindSettled, "hami.io/allocation-signature", "hami.io/Ascend910B-devices-allocated", "hami.io/dcu-devices-to-allocate",
        ];
        string[] own =
        [
            HamiKeys.NodePolicy, HamiKeys.GpuPolicy, HamiKeys.UseGpuType, HamiKeys.UseGpuUuid, "hami.io/webhook", "hami.io/use-Ascend910B-uuid", "example.com/vgpu-node", "hami.io-x/vgpu-node",
        ];

        var admission = Assert.IsType<Admission.Allowed>(Admit(
            Pods.Written(limits), scheduler, annotations: [.. results.Concat(own).Select(k => (k, "binpack"))], labels: [(HamiKeys.PodNode, "n1"), ("app", "x")]));

        Assert.Equal(results, admission.Changes.OfType<PodChange.RemovedAnnotation>().Select(c => c.Key));
        Assert.Equal([new PodChange.RemovedLabel(HamiKeys.PodNode)], admission.Changes.OfType<PodChange.RemovedLabel>());
        Assert.Equal(results.Length + 1, admission.Warnings.Count);
        Assert.Equal("metadata.annotations[hami.io/vgpu-node] is written by HAMi alone and was removed", admission.Warnings[0]);
        // kubectl shows no more of one warning.
        Assert.All(admission.Warnings, w => Assert.InRange(w.Length, 1, 256));
    }

    [Fact]
    public void Every_key_that_we_write_onto_pods_is_taken_for_a_result()
    {
        var allocation = new Allocation(Guid.Empty, "u", "default", "p", 1, [new(0, "main", false, "GPU-a", 1, 0, new("1g.5gb", 0, 1))], AllocationPhase.Placed);
        var keys = Domain.Binding.BindingAnnotations.Annotations(allocation, "n1", DateTimeOffset.UnixEpoch).Keys.ToList();

        var admission = Assert.IsType<Admission.Allowed>(Admit(Pods.Written(""), annotations: [.. keys.Select(k => (k, "x"))]));

        Assert.Equal(keys, admission.Changes.OfType<PodChange.RemovedAnnotation>().Select(c => c.Key));
    }

    private static AdmissionRules With(NvidiaConfig nvidia) => AdmissionRules.Hami with { Nvidia = nvidia };

    private static void AssertDenied(string? sentence, Admission admission)
    {
        if (sentence is null)
            Assert.IsType<Admission.Allowed>(admission);
        else
            Assert.Contains(sentence, Denied(admission), StringComparison.Ordinal);
    }

    private static void AssertUnchanged(Admission admission) => Assert.Empty(Changes(admission));

    private static string Denied(Admission admission) => Assert.IsType<Admission.Denied>(admission).Because.Sentence;

    private static IReadOnlyList<PodChange> Changes(Admission admission) => Assert.IsType<Admission.Allowed>(admission).Changes;

    private static string Variables(Admission admission) =>
        string.Join(' ', Changes(admission).OfType<PodChange.Variable>().Select(v => $"{v.Name}={v.Value}"));

    private static Admission AdmitAll(ContainerShape[] containers) => AdmitPodDecider.Decide(
        new(Pods.Shape("p", containers), [.. containers.Select(_ => new ContainerVariables(new Dictionary<string, string?>(StringComparer.Ordinal)))], "", "", "", null),
        AdmissionRules.Hami, QuotaRoom.Unlimited);

    /// <param name="environment">Of the container: <c>NAME=value</c>, or <c>NAME</c> for one taken from elsewhere, <c>*</c> for all of a ConfigMap.</param>
    private static Admission Admit(
        ContainerShape container, string scheduler = "", string node = "", string runtimeClass = "", string? privileged = null, string environment = "",
        (string Key, string Value)[]? annotations = null, (string Key, string Value)[]? labels = null, AdmissionRules? rules = null)
    {
        var words = environment.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var variables = words.Where(w => w != "*").Select(v => v.Split('=')).ToDictionary(v => v[0], v => v.ElementAtOrDefault(1), StringComparer.Ordinal);
        var shape = Pods.Shape("p", container) with { Annotations = Words(annotations), Labels = Words(labels) };
        return AdmitPodDecider.Decide(new(shape, [new(variables, HasOthers: words.Contains("*"))], scheduler, node, runtimeClass, privileged), rules ?? AdmissionRules.Hami, QuotaRoom.Unlimited);
    }

    private static Dictionary<string, string> Words((string Key, string Value)[]? words) => (words ?? []).ToDictionary(w => w.Key, w => w.Value, StringComparer.Ordinal);
}
