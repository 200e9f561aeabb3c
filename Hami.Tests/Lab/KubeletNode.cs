using Hami.Lab.Kubelet;
using k8s;
using k8s.Models;
using static Hami.Tests.Lab.KubeletScene;

namespace Hami.Tests.Lab;

/// <summary>What a kubelet says about its node, and how it says that the node lives.</summary>
public sealed class KubeletNode
{
    [Fact]
    public async Task A_node_comes_with_all_that_a_real_one_says_of_itself()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);

        var node = await scene.Kubernetes.CoreV1.ReadNodeAsync(Node);

        Assert.Equal(
            ["DiskPressure=False", "MemoryPressure=False", "PIDPressure=False", "Ready=True"],
            node.Status.Conditions.Select(c => $"{c.Type}={c.Status}").Order(StringComparer.Ordinal));
        Assert.All(node.Status.Conditions, c => Assert.NotNull(c.LastHeartbeatTime));
        Assert.Equal(["InternalIP 127.0.0.1"], node.Status.Addresses.Select(a => $"{a.Type} {a.Address}"));
        Assert.Equal(scene.Kubelet.Address.Port, node.Status.DaemonEndpoints.KubeletEndpoint.Port);
        Assert.Equal(["cpu", "ephemeral-storage", "memory", "pods"], node.Status.Allocatable.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_nodes_lease_is_held_by_it_owned_by_its_object_and_renewed()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false, o => o with { LeaseDuration = TimeSpan.FromSeconds(1) });
        V1Lease? lease = null;
        await Eventually(async () => (lease = (await scene.Kubernetes.CoordinationV1.ListNamespacedLeaseAsync("kube-node-lease")).Items.SingleOrDefault()) is not null);
        var node = await scene.Kubernetes.CoreV1.ReadNodeAsync(Node);

        Assert.NotNull(lease);
        Assert.Equal((Node, Node, 1), (lease.Name(), lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds));
        Assert.Equal(node.Uid(), Assert.Single(lease.Metadata.OwnerReferences).Uid);
        await Eventually(async () => (await scene.Kubernetes.CoordinationV1.ReadNamespacedLeaseAsync(Node, "kube-node-lease")).Spec.RenewTime > lease!.Spec.RenewTime);
    }

    [Fact]
    public async Task A_node_that_is_there_keeps_its_taints_and_what_others_wrote_on_it()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false, o => o with { NodeTaints = [new() { Key = "lab", Effect = "NoSchedule" }] });
        await scene.Kubernetes.CoreV1.PatchNodeAsync(
            new V1Patch("""{"metadata":{"annotations":{"theirs":"1"}},"spec":{"taints":[{"key":"other","effect":"NoExecute"}]}}""", V1Patch.PatchType.MergePatch), Node);

        await scene.Kubelet.DisposeAsync();
        await scene.StartKubelet();

        var node = await scene.Kubernetes.CoreV1.ReadNodeAsync(Node);
        Assert.Equal("other", Assert.Single(node.Spec.Taints).Key);
        Assert.Equal("1", node.GetAnnotation("theirs"));
    }

    [Fact]
    public void A_condition_that_stays_keeps_its_time_and_one_that_turns_gets_a_new_one()
    {
        var then = DateTimeOffset.UnixEpoch;
        var before = new V1Node
        {
            Metadata = new() { Name = "n" },
            Status = new()
            {
                Conditions =
                [
                    new() { Type = "Ready", Status = "Unknown", LastTransitionTime = then.UtcDateTime },
                    new() { Type = "DiskPressure", Status = "False", LastTransitionTime = then.UtcDateTime },
                ],
            },
        };

        var patch = NodeStatus.Patch(before, "127.0.0.1", 1, new Dictionary<string, (int, int)>(StringComparer.Ordinal), then.AddHours(1));

        var conditions = KubernetesJson.Deserialize<V1Node>(patch.ToJsonString()).Status.Conditions.ToDictionary(c => c.Type, StringComparer.Ordinal);
        Assert.Equal(then.AddHours(1).UtcDateTime, conditions["Ready"].LastTransitionTime);
        Assert.Equal(then.UtcDateTime, conditions["DiskPressure"].LastTransitionTime);
    }
}
