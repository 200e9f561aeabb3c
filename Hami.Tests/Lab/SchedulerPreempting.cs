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
    public async Task Room_is_made_where_and_of_whom_the_extender_says()
    {
        await Nodes("node-a", "node-b");
        foreach (var node in new[] { "node-a", "node-b" })
        {
            foreach (var pod in new[] { "one", "two" })
            {
                await Create($"{pod}-{node}", gpus: 0, cpu: "2");
                await Bind($"{pod}-{node}", node);
            }
        }
        var saved = (await Until("one-node-b", p => p.Spec.NodeName is not null)).Uid();
        var victim = (await Until("two-node-b", p => p.Spec.NodeName is not null)).Uid();
        _extender.Preempt = _ => Task.FromResult($$$$"""{"NodeNameToMetaVictims":{"node-b":{"Pods":[{"UID":"{{{{victim}}}}"}],"NumPDBViolations":0}}}""");
        await Start(change: e => e with { PreemptVerb = "preempt" });

        await Create("important", cpu: "3", priorityClass: "system-node-critical");

        await Until("important", p => p.Status.NominatedNodeName == "node-b");
        await Eventually(async () => (await Events("two-node-b")).Any(e => e.StartsWith("Preempted:", StringComparison.Ordinal)));
        // The scheduler had both pods of each node in mind.
        var asked = _extender.Preemptions.First()["NodeNameToMetaVictims"]!.AsObject();
        Assert.Equal(["node-a", "node-b"], asked.Select(n => n.Key).Order(StringComparer.Ordinal));
        Assert.Equal([saved, victim], asked["node-b"]!["Pods"]!.AsArray().Select(p => p!["UID"]!.GetValue<string>()).OrderBy(uid => uid == victim));
        Assert.Null((await _kubernetes.CoreV1.ReadNamespacedPodAsync("one-node-b", "default")).Metadata.DeletionTimestamp);
    }

    [Fact]
    public async Task A_victim_that_is_not_on_the_node_ends_the_try_in_kube_schedulers_words()
    {
        await Nodes("node-a");
        _extender.Preempt = _ => Task.FromResult("""{"NodeNameToMetaVictims":{"node-a":{"Pods":[{"UID":"nobody"}],"NumPDBViolations":0}}}""");
        await Start(change: e => e with { PreemptVerb = "preempt" });
        await Create("lesser", cpu: "3", gpus: 0);
        await Until("lesser", p => p.Spec.NodeName == "node-a");

        await Create("important", cpu: "2", priorityClass: "system-node-critical");

        await Eventually(async () => (await Events("important")).Any(e => e.EndsWith(
            $"preemption: extender: {_extender.Address.ToString().TrimEnd('/')} claims to preempt pod (UID: &MetaPod{{UID:nobody,}}) on node: node-a, but the pod is not found on that node", StringComparison.Ordinal)));
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
