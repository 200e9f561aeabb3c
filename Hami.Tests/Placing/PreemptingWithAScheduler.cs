using Hami.Domain.Protocol;
using Hami.Lab.Scheduler;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Placing;

/// <summary>The running control plane and the stand-in scheduler together make room for a more important pod.</summary>
public sealed class PreemptingWithAScheduler
{
    [Fact]
    public async Task A_pod_that_fits_nowhere_evicts_exactly_the_one_whose_node_serves_it_and_runs()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 3, cards: 1);
        await scene.Kubernetes.SchedulingV1.CreatePriorityClassAsync(new() { Metadata = new() { Name = "high" }, Value = 1000 });
        foreach (var node in new[] { "n1", "n2", "n3" })
        {
            var status = new { status = new { allocatable = new { pods = "110", cpu = "4", memory = "8Gi" } } };
            await scene.Kubernetes.CoreV1.PatchNodeStatusAsync(new V1Patch(status, V1Patch.PatchType.MergePatch), node);
            await scene.Kubernetes.CoreV1.PatchNodeAsync(new V1Patch(new { metadata = new { labels = new { host = node } } }, V1Patch.PatchType.MergePatch), node);
        }
        await using var scheduler = await LabScheduler.StartAsync(
            new() { Kubernetes = scene.Kubernetes, Extenders = [new() { Url = scene.Extender, PreemptVerb = "preempt" }] }, TestContext.Current.CancellationToken);
        // On n1 and n2 less important pods have the CPU, but the card is an important pod's: to evict them would be in vain.
        foreach (var node in new[] { "n1", "n2" })
        {
            await RunningAsync(scene, $"card-{node}", node, cpu: "1", memoryMiB: 9000, priority: "high");
            await RunningAsync(scene, $"cpu-{node}", node, cpu: "3", memoryMiB: 0);
        }
        await RunningAsync(scene, "lesser", "n3", cpu: "3", memoryMiB: 9000);
        await RunningAsync(scene, "bystander", "n3", cpu: "1", memoryMiB: 500);

        await CreateAsync(scene, "important", null, cpu: "3", memoryMiB: 9000, priority: "high");

        await ControlPlaneScene.UntilAsync(
            async () => (await scene.FindPodAsync("lesser"))!.Metadata.DeletionTimestamp is not null, () => $"lesser is not evicted:\n{scene.Log}");
        await scene.DeletePodAsync("lesser");
        await ControlPlaneScene.UntilAsync(
            async () => (await scene.FindPodAsync("important"))!.Spec.NodeName == "n3", () => $"important does not run:\n{scene.Log}");
        Assert.All(
            (await scene.Kubernetes.CoreV1.ListNamespacedPodAsync("default")).Items, pod => Assert.Null(pod.Metadata.DeletionTimestamp));
        Assert.NotNull((await scene.FindPodAsync("important"))!.GetAnnotation(HamiKeys.DevicesAllocated));
        Assert.Equal([9000, 9000, 9500], (await scene.HeldByLedgerAsync()).Values);
        // It may ask once more before lesser's end is known here.
        Assert.Contains(
            await scene.ColumnAsync("select data::text from hami.mt_events where type = 'preemption_planned'"),
            plan => plan.Contains("Evicting 1 pod makes room on 1 of 3 nodes", StringComparison.Ordinal));
    }

    private static async Task RunningAsync(ControlPlaneScene scene, string name, string node, string cpu, long memoryMiB, string? priority = null)
    {
        await CreateAsync(scene, name, node, cpu, memoryMiB, priority);
        await ControlPlaneScene.UntilAsync(async () => (await scene.FindPodAsync(name))!.Spec.NodeName == node, () => $"{name} is not on {node}:\n{scene.Log}");
    }

    private static Task CreateAsync(ControlPlaneScene scene, string name, string? node, string cpu, long memoryMiB, string? priority) =>
        scene.CreatePodAsync(name, memoryMiB: memoryMiB, also: pod =>
        {
            pod.Spec.PriorityClassName = priority;
            if (node is not null)
                pod.Spec.NodeSelector = new Dictionary<string, string>(StringComparer.Ordinal) { ["host"] = node };
            if (memoryMiB == 0)
                pod.Spec.Containers[0].Resources.Limits.Clear();
            pod.Spec.Containers[0].Resources.Requests = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["cpu"] = new(cpu) };
        });
}
