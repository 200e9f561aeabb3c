using Hami.Lab.Kubelet;
using Hami.Lab.Scheduler;
using k8s;
using k8s.Models;
using static Hami.Tests.Lab.KubeletScene;

namespace Hami.Tests.Lab;

/// <summary>What a kubelet refuses beside devices: pods that came around the scheduler, or too late.</summary>
public sealed class KubeletFitting
{
    private static readonly V1Node Node4 = new()
    {
        Metadata = new() { Name = "n", Labels = Labels(("zone", "a"), ("size", "4")) },
        Spec = new(),
        Status = new() { Allocatable = Quantities(("cpu", "4"), ("memory", "1Gi"), ("pods", "2"), ("example.com/port", "1"), ("nvidia.com/gpu", "0")) },
    };

    [Theory]
    [InlineData("cpu", "3", "OutOfcpu", "Node didn't have enough resource: cpu, requested: 3000, used: 1500, capacity: 4000")]
    [InlineData("memory", "2Gi", "OutOfmemory", "Node didn't have enough resource: memory, requested: 2147483648, used: 0, capacity: 1073741824")]
    [InlineData("example.com/port", "2", "OutOfexample.com/port", "Node didn't have enough resource: example.com/port, requested: 2, used: 0, capacity: 1")]
    public void More_than_is_left_is_refused_with_the_numbers(string resource, string quantity, string reason, string sentence)
    {
        var refused = Assert.Throws<AdmissionException>(() => Check(Pod((resource, quantity)), Pod(("cpu", "1500m"))));

        Assert.Equal((reason, sentence), (refused.Reason, refused.Message));
    }

    [Fact]
    public void More_pods_than_the_node_takes_are_refused() =>
        Assert.Equal(
            "Node didn't have enough resource: pods, requested: 1, used: 2, capacity: 2",
            Assert.Throws<AdmissionException>(() => Check(Pod(), Pod(), Pod())).Message);

    [Fact]
    public void Devices_and_what_the_node_does_not_list_are_not_counted_here() => Check(Pod(("nvidia.com/gpu", "1"), ("nvidia.com/gpumem", "3k")));

    [Fact]
    public void An_init_container_counts_as_far_as_it_is_larger_than_the_others_and_a_sidecar_with_both()
    {
        var pod = Pod(("cpu", "1"));
        pod.Spec.InitContainers =
        [
            new() { Name = "s", RestartPolicy = "Always", Resources = new() { Requests = Quantities(("cpu", "500m")) } },
            new() { Name = "i", Resources = new() { Requests = Quantities(("cpu", "2")) } },
        ];

        Assert.Equal(
            "Node didn't have enough resource: cpu, requested: 2500, used: 1600, capacity: 4000",
            Assert.Throws<AdmissionException>(() => Check(pod, Pod(("cpu", "1600m")))).Message);
        Check(pod, Pod(("cpu", "1500m")));
    }

    [Fact]
    public void What_a_whole_pod_asks_overrules_its_containers()
    {
        var pod = Pod(("cpu", "1"));
        pod.Spec.Resources = new() { Requests = Quantities(("cpu", "5")) };

        Assert.Equal("Node didn't have enough resource: cpu, requested: 5000, used: 0, capacity: 4000", Assert.Throws<AdmissionException>(() => Check(pod)).Message);
    }

    [Fact]
    public void An_amount_beyond_all_numbers_is_refused_like_any_other() =>
        Assert.Equal("OutOfmemory", Assert.Throws<AdmissionException>(() => Check(Pod(("memory", "1e30")))).Reason);

    [Theory]
    [InlineData("In", "a b", true)]
    [InlineData("NotIn", "a", false)]
    [InlineData("Exists", "", true)]
    [InlineData("DoesNotExist", "", false)]
    public void Required_affinity_is_looked_at_again(string op, string values, bool allowed) => Assert.Equal(allowed, Allows("zone", op, values));

    [Theory]
    [InlineData("Gt", "3", true)]
    [InlineData("Gt", "4", false)]
    [InlineData("Lt", "5", true)]
    public void Numbers_in_labels_are_compared(string op, string value, bool allowed) => Assert.Equal(allowed, Allows("size", op, value));

    [Fact]
    public void Only_a_taint_that_evicts_is_the_kubelets_concern()
    {
        var node = new V1Node { Metadata = Node4.Metadata, Status = Node4.Status, Spec = new() { Taints = [new() { Key = "k", Effect = "NoSchedule" }] } };
        NodeFit.Check(Pod(), [], node, _ => false);

        node.Spec.Taints = [new() { Key = "k", Effect = "NoExecute" }];
        Assert.Equal(
            "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate",
            Assert.Throws<AdmissionException>(() => NodeFit.Check(Pod(), [], node, _ => false)).Message);
        var tolerant = Pod();
        tolerant.Spec.Tolerations = [new() { Key = "k", OperatorProperty = "Exists" }];
        NodeFit.Check(tolerant, [], node, _ => false);
    }

    [Fact]
    public async Task A_pod_that_does_not_match_is_failed_for_good_gives_its_devices_back_and_a_label_put_on_later_is_seen()
    {
        await using var scene = await KubeletScene.Start();

        await scene.Run("a1", pod =>
        {
            pod.Spec.Containers = [Container("c0", 4, "sleep", "100")];
            pod.Spec.NodeSelector = Labels(("zone", "a"));
        });
        var status = (await scene.Until("a1", "Failed")).Status;
        await scene.Kubernetes.CoreV1.PatchNodeAsync(new V1Patch("""{"metadata":{"labels":{"zone":"a"}}}""", V1Patch.PatchType.MergePatch), Node);
        await scene.Run("a2", pod =>
        {
            pod.Spec.Containers = [Container("c0", 4, "true")];
            pod.Spec.NodeSelector = Labels(("zone", "a"));
        });

        Assert.Equal(("NodeAffinity", "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"), (status.Reason, status.Message));
        await scene.Until("a2", "Succeeded");
    }

    private static void Check(V1Pod pod, params V1Pod[] others) => NodeFit.Check(pod, others, Node4, r => r == "nvidia.com/gpu");

    private static bool Allows(string key, string op, string values) => NodeMatch.Selects(
        new()
        {
            Affinity = new()
            {
                NodeAffinity = new()
                {
                    RequiredDuringSchedulingIgnoredDuringExecution = new()
                    {
                        NodeSelectorTerms = [new() { MatchExpressions = [new() { Key = key, OperatorProperty = op, Values = values.Split(' ', StringSplitOptions.RemoveEmptyEntries) }] }],
                    },
                },
            },
        },
        Node4.Metadata.Name,
        Node4.Metadata.Labels);

    private static V1Pod Pod(params (string Resource, string Quantity)[] requests) => new()
    {
        Metadata = new() { Name = "p" },
        Spec = new() { Containers = [new() { Name = "c", Resources = new() { Requests = Quantities(requests) } }] },
    };

    private static Dictionary<string, ResourceQuantity> Quantities(params (string Resource, string Quantity)[] values) =>
        values.ToDictionary(v => v.Resource, v => new ResourceQuantity(v.Quantity), StringComparer.Ordinal);

    private static Dictionary<string, string> Labels(params (string Key, string Value)[] labels) => labels.ToDictionary(l => l.Key, l => l.Value, StringComparer.Ordinal);
}
