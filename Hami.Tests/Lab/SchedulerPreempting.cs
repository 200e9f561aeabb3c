using k8s;
using k8s.Models;

namespace Hami.Tests.Lab;

/// <summary>Room made for a more important pod, and when it is not.</summary>
public sealed class SchedulerPreempting : SchedulerScene
{
    [Fact]
    public async Task A_more_important_pod_takes_the_place_of_a_lesser_one()
    {
        await Nodes("node-a");
        await Start();
        await Create("lesser", cpu: "3", gpus: 0);
        await Until("lesser", p => p.Spec.NodeName == "node-a");
        await _kubernetes.CoreV1.PatchNamespacedPodAsync(Merge("""{"metadata":{"finalizers":["example.com/look"]}}"""), "lesser", "default");

        await Create("important", cpu: "2", gpus: 0, priorityClass: "system-node-critical");
        var important = await Until("important", p => p.Status.NominatedNodeName == "node-a");
        var lesser = await Until("lesser", p => p.Metadata.DeletionTimestamp is not null);

        var disrupted = lesser.Status.Conditions.Single(c => c.Type == "DisruptionTarget");
        Assert.Equal(
            ("True", "PreemptionByScheduler", "hami-scheduler: preempting to accommodate a higher priority pod"), (disrupted.Status, disrupted.Reason, disrupted.Message));
        await Eventually(async () => (await Events("lesser")).Contains($"Preempted: Preempted by pod {important.Uid()} on node node-a"));
        Assert.Contains("FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu.", await Events("important"));

        await _kubernetes.CoreV1.PatchNamespacedPodAsync(Merge("""{"metadata":{"finalizers":null}}"""), "lesser", "default");
        await _kubernetes.CoreV1.DeleteNamespacedPodAsync("lesser", "default", new V1DeleteOptions { GracePeriodSeconds = 0 });
        await Until("important", p => p.Spec.NodeName == "node-a");
    }

    [Fact]
    public async Task An_extender_that_knows_better_saves_the_victims()
    {
        await Nodes("node-a");
        _extender.Preempt = _ => Task.FromResult("""{"NodeNameToMetaVictims":{}}""");
        await Start(change: e => e with { PreemptVerb = "preempt" });
        await Create("lesser", cpu: "3");
        var lesser = await Until("lesser", p => p.Spec.NodeName == "node-a");

        await Create("important", cpu: "2", priorityClass: "system-node-critical");

        await Eventually(async () => (await Events("important")).Contains(
            "FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: no candidate node for preemption"));
        Assert.Equal(
            $$$"""{"node-a":{"Pods":[{"UID":"{{{lesser.Uid()}}}"}],"NumPDBViolations":0}}""", _extender.Preemptions.First()["NodeNameToMetaVictims"]!.ToJsonString());
        Assert.Null((await _kubernetes.CoreV1.ReadNamespacedPodAsync("lesser", "default")).Metadata.DeletionTimestamp);
    }

    [Fact]
    public async Task Room_for_a_pod_that_only_the_extender_refused_cannot_be_made_without_its_preempt_verb()
    {
        await Nodes("node-a");
        await Create("lesser", gpus: 0);
        await Bind("lesser", "node-a");
        _extender.Filter = RefuseAll;
        await Start();

        await Create("important", priorityClass: "system-node-critical");

        await Eventually(async () => (await Events("important")).Contains(
            "FailedScheduling: 0/1 nodes are available: 1 8/8 CardInsufficientMemory. preemption: expected at least one victim pod on node \"node-a\""));
    }

    [Fact]
    public async Task A_pod_that_never_preempts_says_so()
    {
        await Nodes("node-a");
        await Start();
        await Create("lesser", cpu: "3", gpus: 0);
        await Until("lesser", p => p.Spec.NodeName == "node-a");

        await _kubernetes.SchedulingV1.CreatePriorityClassAsync(new()
        {
            ApiVersion = "scheduling.k8s.io/v1",
            Kind = "PriorityClass",
            Metadata = new() { Name = "patient" },
            Value = 100,
            PreemptionPolicy = "Never",
        });
        await Create("modest", cpu: "2", gpus: 0, priorityClass: "patient");

        await Eventually(async () => (await Events("modest")).Contains(
            "FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never."));
    }
}
