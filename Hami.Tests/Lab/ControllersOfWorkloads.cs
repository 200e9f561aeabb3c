using Hami.Lab.ApiServer;
using k8s;
using k8s.Models;

namespace Hami.Tests.Lab;

using static ApiServerGiven;
using static ControllersGiven;

/// <summary>ReplicaSets, Deployments and Jobs become pods, and no more pods than asked for.</summary>
public sealed class ControllersOfWorkloads
{
    [Fact]
    public async Task A_deployment_becomes_pods_named_and_labelled_as_by_a_real_controller()
    {
        await using var lab = await ControllersGiven.Running();
        await lab.Create(Deployment("gpu-test"));
        var pod = Assert.Single(await Eventually(() => lab.Pods("gpu-test"), p => p.Count == 1));
        var set = Assert.Single(await lab.Sets());
        var hash = pod.Metadata.Labels["pod-template-hash"];
        Assert.Matches("^[bcdfghjklmnpqrstvwxz2456789]{4,10}$", hash);
        Assert.Equal($"gpu-test-{hash}", set.Name());
        Assert.Equal((set.Name() + "-", hash), (pod.Metadata.GenerateName, set.Spec.Selector.MatchLabels["pod-template-hash"]));
        var owner = Assert.Single(pod.Metadata.OwnerReferences);
        Assert.Equal(("apps/v1", "ReplicaSet", set.Name(), true, true), (owner.ApiVersion, owner.Kind, owner.Name, owner.Controller, owner.BlockOwnerDeletion));
        Assert.Equal("1", set.Metadata.Annotations["deployment.kubernetes.io/revision"]);
        Assert.Equal(("1", "2"), (set.Metadata.Annotations["deployment.kubernetes.io/desired-replicas"], set.Metadata.Annotations["deployment.kubernetes.io/max-replicas"]));
        Assert.Contains($"Normal ScalingReplicaSet: Scaled up replica set {set.Name()} from 0 to 1", await Eventually(() => lab.Told("gpu-test"), t => t.Count > 0));
        Assert.Contains($"Normal SuccessfulCreate: Created pod: {pod.Name()}", await Eventually(() => lab.Told(set.Name()), t => t.Count > 0));

        var waiting = await Eventually(() => lab.Deployment("gpu-test"), d => d.Status.Replicas == 1 && d.Metadata.Annotations?.Count > 0);
        Assert.Equal("1", waiting.Metadata.Annotations["deployment.kubernetes.io/revision"]);
        await lab.AllBecomeReady("gpu-test");
        var done = await Eventually(() => lab.Deployment("gpu-test"), d => d.Status.Conditions?.Any(c => c.Reason is "NewReplicaSetAvailable") is true);
        Assert.Equal((1, 1, 1, 1, 1L), (done.Status.Replicas, done.Status.UpdatedReplicas, done.Status.ReadyReplicas, done.Status.AvailableReplicas, done.Status.ObservedGeneration));
        Assert.Equal($"ReplicaSet \"{set.Name()}\" has successfully progressed.", done.Status.Conditions.Single(c => c.Type is "Progressing").Message);
        Assert.Equal("Deployment has minimum availability.", done.Status.Conditions.Single(c => c.Type is "Available").Message);
    }

    [Fact]
    public async Task A_rolling_update_never_has_more_or_fewer_than_it_may()
    {
        await using var lab = await ControllersGiven.Running();
        await lab.Create(Deployment("web", 4, d => d.Spec.Strategy = new() { Type = "RollingUpdate", RollingUpdate = new() { MaxSurge = "1", MaxUnavailable = "0" } }));
        await Eventually(() => lab.Pods("web"), p => p.Count == 4);
        await lab.AllBecomeReady("web");
        await Eventually(() => lab.Deployment("web"), d => d.Status.AvailableReplicas == 4);
        await lab.Lab.Send("PATCH", "/apis/apps/v1/namespaces/default/deployments/web", """{"spec":{"template":{"metadata":{"annotations":{"v":"2"}}}}}""", "application/merge-patch+json");
        V1Deployment now;
        var looks = 0;
        do
        {
            Assert.True(looks++ < 3000, "the rollout came to no end");
            var sets = await lab.Sets();
            Assert.True(sets.Sum(s => s.Spec.Replicas) <= 5, "more than replicas and surge");
            Assert.True(sets.Sum(s => s.Status.AvailableReplicas ?? 0) >= 4 || sets.Count == 1, "fewer available than may be");
            await lab.AllBecomeReady("web");
            now = await lab.Deployment("web");
        }
        while (now.Status.ObservedGeneration != now.Metadata.Generation || now.Status.UpdatedReplicas != 4 || now.Status.Replicas != 4 || now.Status.AvailableReplicas != 4);
        var two = await lab.Sets();
        Assert.Equal((2, 4), (two.Count, two.Single(s => s.Metadata.Annotations["deployment.kubernetes.io/revision"] is "2").Spec.Replicas));
        Assert.Equal(0, two.Single(s => s.Metadata.Annotations["deployment.kubernetes.io/revision"] is "1").Spec.Replicas);
    }

    [Theory]
    [InlineData(3, 3, 2, 2, 2)] // one more works than must
    [InlineData(3, 4, 2, 2, 2)] // the old set was told to have 3 and says 4 yet: that is not two to spare
    [InlineData(3, 4, 2, 1, null)]
    public void A_pod_that_is_on_its_way_out_is_not_one_to_spare(int oldWanted, int oldAvailable, int newWanted, int newAvailable, int? becomes)
    {
        var deployment = Deployment("web", 4, d => d.Spec.Strategy = new() { Type = "RollingUpdate", RollingUpdate = new() { MaxSurge = "1", MaxUnavailable = "0" } });
        var (before, after) = (ReplicaSet("web-1", oldWanted), ReplicaSet("web-2", newWanted));
        (before.Metadata.Uid, after.Metadata.Uid) = ("1", "2");
        (before.Status, after.Status) = (new() { Replicas = oldAvailable, AvailableReplicas = oldAvailable }, new() { Replicas = newWanted, AvailableReplicas = newAvailable });
        (before.Spec.Template.Metadata.Annotations, after.Spec.Template) = (new Dictionary<string, string>(StringComparer.Ordinal) { ["v"] = "1" }, deployment.Spec.Template);

        var less = new Hami.Lab.Controllers.Rollout(deployment, [before, after]).OldReplicas();

        Assert.Equal(becomes is null ? [] : [("web-1", becomes.Value)], less.Select(l => (l.Set.Name(), l.Replicas)));
    }

    [Fact]
    public async Task Recreate_waits_for_the_last_old_pod_to_be_gone()
    {
        await using var lab = await ControllersGiven.Running();
        await lab.Create(Deployment("solo", 1, d => d.Spec.Strategy = new() { Type = "Recreate" }));
        var old = Assert.Single(await Eventually(() => lab.Pods("solo"), p => p.Count == 1));
        // A node's pod ends when its kubelet says so.
        await lab.Client.CoreV1.CreateNamespacedPodBindingAsync(Binding(old.Name(), "n"), old.Name(), "default", cancellationToken: Cancellation);
        await lab.Becomes(old, "Running", ready: true);
        await Eventually(() => lab.Deployment("solo"), d => d.Status.AvailableReplicas == 1);
        await lab.Lab.Send("PATCH", "/apis/apps/v1/namespaces/default/deployments/solo", """{"spec":{"template":{"metadata":{"annotations":{"v":"2"}}}}}""", "application/merge-patch+json");
        await Eventually(() => lab.Pods("solo"), p => p.All(x => x.Metadata.DeletionTimestamp is not null));
        await lab.Settle("marker");
        Assert.Equal(old.Uid(), Assert.Single(await lab.Pods("solo")).Uid());
        await lab.Client.CoreV1.DeleteNamespacedPodAsync(old.Name(), "default", gracePeriodSeconds: 0, cancellationToken: Cancellation);
        Assert.NotEqual(old.Uid(), Assert.Single(await Eventually(() => lab.Pods("solo"), p => p.Count == 1 && p[0].Uid() != old.Uid())).Uid());
    }

    [Fact]
    public async Task Scaling_and_undoing_work_as_kubectl_does_them()
    {
        await using var lab = await ControllersGiven.Running();
        await lab.Create(Deployment("web"));
        await Eventually(() => lab.Pods("web"), p => p.Count == 1);
        var (code, scale) = await lab.Lab.Send("PATCH", "/apis/apps/v1/namespaces/default/deployments/web/scale", """{"spec":{"replicas":3}}""", "application/merge-patch+json");
        Assert.Equal((200, 3), (code, (int)scale!["spec"]!["replicas"]!));
        await Eventually(() => lab.Pods("web"), p => p.Count == 3);
        await lab.Lab.Send("PATCH", "/apis/apps/v1/namespaces/default/deployments/web/scale", """{"spec":{"replicas":0}}""", "application/merge-patch+json");
        await Eventually(() => lab.Pods("web"), p => p.Count == 0);
        var (refused, why) = await lab.Lab.Send("PATCH", "/apis/apps/v1/namespaces/default/deployments/web/scale", """{"spec":{"replicas":-1}}""", "application/merge-patch+json");
        Assert.Equal(422, refused);
        Assert.Contains("spec.replicas: Invalid value: -1: must be greater than or equal to 0", (string)why!["message"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failed_pod_is_replaced_and_stays_for_people_to_look_at()
    {
        await using var lab = await ControllersGiven.Running();
        await lab.Create(ReplicaSet("rs", 1));
        var first = Assert.Single(await Eventually(() => lab.Pods("rs"), p => p.Count == 1));
        await lab.Becomes(first, "Failed");
        var two = await Eventually(() => lab.Pods("rs"), p => p.Count == 2);
        Assert.Contains(two, p => p.Uid() == first.Uid() && p.Status.Phase is "Failed");
        await Eventually(async () => (await lab.Sets()).Single().Status, s => s.Replicas == 1);
    }

    [Fact]
    public async Task A_pod_of_ones_own_labels_is_adopted_and_one_relabelled_let_go()
    {
        await using var lab = await ControllersGiven.Running();
        await lab.Lab.Create(Pod("stray", more: p => p.Metadata.Labels = Labels("rs")));
        var set = await lab.Create(ReplicaSet("rs", 1));
        await Eventually(() => lab.Lab.Read("stray"), p => p.GetController()?.Uid == set.Uid());
        await lab.Settle("marker");
        Assert.Single(await lab.Pods("rs"));
        await lab.Lab.Send("PATCH", "/api/v1/namespaces/default/pods/stray", """{"metadata":{"labels":{"app":"other"}}}""", "application/merge-patch+json");
        await Eventually(() => lab.Lab.Read("stray"), p => p.Metadata.OwnerReferences is not { Count: > 0 });
        await Eventually(() => lab.Pods("rs"), p => p.Count == 1);
    }

    [Fact]
    public async Task Lost_replies_and_restarts_make_no_pod_too_many()
    {
        await using var lab = await ControllersGiven.Running();
        var lost = 0;
        lab.Lab.Server.Faults.BeforeApply = r => Task.FromResult(
            r is { Method: "POST", Path: "/api/v1/namespaces/default/pods" } && Interlocked.Increment(ref lost) % 3 == 1 ? LabFault.DropReply : LabFault.None);
        await lab.Create(ReplicaSet("rs", 20));
        for (var i = 0; i < 3; i++)
        {
            await Eventually(() => lab.Pods("rs"), p => p.Count >= (i + 1) * 5);
            await lab.Restart();
        }
        await Eventually(async () => (await lab.Sets()).Single().Status, s => s.Replicas == 20);
        await lab.Settle("marker");
        Assert.Equal(20, (await lab.Pods("rs")).Count);
        Assert.DoesNotContain(await lab.Told("rs"), t => t.Contains("SuccessfulDelete", StringComparison.Ordinal));
        Assert.True(lost > 1);
    }

    [Fact]
    public async Task A_job_runs_its_completions_and_says_so()
    {
        await using var lab = await ControllersGiven.Running();
        await lab.Create(Job("job", j => (j.Completions, j.Parallelism) = (3, 2)));
        var ended = new HashSet<string>(StringComparer.Ordinal);
        V1Job job;
        var looks = 0;
        do
        {
            Assert.True(looks++ < 1500, "the job came to no end");
            var running = (await lab.Pods("job")).Where(p => p.Status.Phase is "Pending").ToList();
            Assert.True(running.Count <= 2);
            foreach (var pod in running)
            {
                await lab.Becomes(pod, "Succeeded");
                ended.Add(pod.Uid());
            }
            await Task.Delay(20, Cancellation);
            job = await lab.Job("job");
        }
        while (job.Status.CompletionTime is null);
        Assert.Equal((3, 3), (ended.Count, job.Status.Succeeded));
        Assert.Equal(["SuccessCriteriaMet", "Complete"], job.Status.Conditions.Where(c => c.Status is "True").Select(c => c.Type));
        Assert.Contains("Normal Completed: Job completed", await Eventually(() => lab.Told("job"), t => t.Exists(x => x.Contains("Completed", StringComparison.Ordinal))));
        await Eventually(() => lab.Pods("job"), p => p.TrueForAll(x => x.Metadata.Finalizers is not { Count: > 0 }));
    }

    [Fact]
    public async Task A_job_that_fails_too_often_has_failed()
    {
        await using var lab = await ControllersGiven.Running();
        await lab.Create(Job("job", j => j.BackoffLimit = 0));
        await lab.Becomes(Assert.Single(await Eventually(() => lab.Pods("job"), p => p.Count == 1)), "Failed");
        var job = await Eventually(() => lab.Job("job"), j => j.Status.Conditions?.Any(c => c.Type is "Failed") is true);
        var failed = job.Status.Conditions.Single(c => c.Type is "Failed");
        Assert.Equal(("BackoffLimitExceeded", "Job has reached the specified backoff limit"), (failed.Reason, failed.Message));
        Assert.Equal(1, job.Status.Failed);
        Assert.Single(await lab.Pods("job"));
    }

    [Fact]
    public async Task A_suspended_job_has_no_pods_until_it_goes_on()
    {
        await using var lab = await ControllersGiven.Running();
        await lab.Create(Job("job", j => j.Suspend = true));
        await Eventually(() => lab.Job("job"), j => j.Status.Conditions?.Any(c => c.Type is "Suspended" && c.Status is "True") is true);
        Assert.Empty(await lab.Pods("job"));
        await lab.Lab.Send("PATCH", "/apis/batch/v1/namespaces/default/jobs/job", """{"spec":{"suspend":false}}""", "application/merge-patch+json");
        await Eventually(() => lab.Pods("job"), p => p.Count == 1);
        await Eventually(() => lab.Job("job"), j => j.Status.StartTime is not null && j.Status.Conditions.Any(c => c.Type is "Suspended" && c.Status is "False" && c.Reason is "JobResumed"));
    }

    [Fact]
    public async Task A_job_that_is_over_is_deleted_after_its_time()
    {
        await using var lab = await ControllersGiven.Running();
        await lab.Create(Job("job", j => j.TtlSecondsAfterFinished = 0));
        await lab.Becomes(Assert.Single(await Eventually(() => lab.Pods("job"), p => p.Count == 1)), "Succeeded");
        await Eventually(async () => (await lab.Client.BatchV1.ListNamespacedJobAsync("default", cancellationToken: Cancellation)).Items, j => j.Count == 0);
        await Eventually(() => lab.Pods("job"), p => p.Count == 0);
    }

    [Fact]
    public async Task Pods_of_a_deleted_job_wait_for_nobody()
    {
        await using var lab = await ControllersGiven.Running();
        await lab.Create(Job("job"));
        await Eventually(() => lab.Pods("job"), p => p.Count == 1);
        await lab.Client.BatchV1.DeleteNamespacedJobAsync("job", "default", propagationPolicy: "Background", cancellationToken: Cancellation);
        await Eventually(() => lab.Pods("job"), p => p.Count == 0);
    }

    [Fact]
    public async Task An_indexed_job_runs_each_index_once()
    {
        await using var lab = await ControllersGiven.Running();
        await lab.Create(Job("job", j => (j.Completions, j.Parallelism, j.CompletionMode) = (3, 3, "Indexed")));
        var pods = await Eventually(() => lab.Pods("job"), p => p.Count == 3);
        Assert.Equal(["0", "1", "2"], pods.Select(p => p.Metadata.Annotations["batch.kubernetes.io/job-completion-index"]).Order(StringComparer.Ordinal));
        foreach (var pod in pods)
            await lab.Becomes(pod, "Succeeded");
        Assert.Equal("0-2", (await Eventually(() => lab.Job("job"), j => j.Status.CompletionTime is not null)).Status.CompletedIndexes);
    }
}
