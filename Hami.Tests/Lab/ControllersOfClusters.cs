using Hami.Lab.ApiServer;
using k8s;
using k8s.Models;

namespace Hami.Tests.Lab;

using static ApiServerGiven;
using static ControllersGiven;

/// <summary>What is not about workloads: owners, namespaces, accounts, quotas, nodes.</summary>
public sealed class ControllersOfClusters
{
    [Fact]
    public async Task What_a_deleted_owner_had_is_deleted_behind_it()
    {
        await using var lab = await ControllersGiven.Running();
        await lab.Create(Deployment("web", 2));
        await Eventually(() => lab.Pods("web"), p => p.Count == 2);
        await lab.Client.AppsV1.DeleteNamespacedDeploymentAsync("web", "default", propagationPolicy: "Background", cancellationToken: Cancellation);
        await Eventually(() => lab.Sets(), s => s.Count == 0);
        await Eventually(() => lab.Pods("web"), p => p.Count == 0);
    }

    [Fact]
    public async Task An_owner_deleted_in_the_foreground_goes_last()
    {
        await using var lab = await ControllersGiven.Running();
        await lab.Create(ReplicaSet("rs", 1));
        var pod = Assert.Single(await Eventually(() => lab.Pods("rs"), p => p.Count == 1));
        await lab.Client.CoreV1.CreateNamespacedPodBindingAsync(Binding(pod.Name(), "n"), pod.Name(), "default", cancellationToken: Cancellation);
        await lab.Client.AppsV1.DeleteNamespacedReplicaSetAsync("rs", "default", propagationPolicy: "Foreground", cancellationToken: Cancellation);
        await Eventually(() => lab.Pods("rs"), p => p.TrueForAll(x => x.Metadata.DeletionTimestamp is not null));
        await lab.Settle("marker");
        Assert.Contains("foregroundDeletion", (await lab.Sets()).Single(s => s.Name() == "rs").Metadata.Finalizers);
        await lab.Client.CoreV1.DeleteNamespacedPodAsync(pod.Name(), "default", gracePeriodSeconds: 0, cancellationToken: Cancellation);
        await Eventually(() => lab.Sets(), s => !s.Exists(x => x.Name() == "rs"));
    }

    [Fact]
    public async Task Orphans_stay_and_forget_their_owner()
    {
        await using var lab = await ControllersGiven.Running();
        await lab.Create(ReplicaSet("rs", 2));
        await Eventually(() => lab.Pods("rs"), p => p.Count == 2);
        await lab.Client.AppsV1.DeleteNamespacedReplicaSetAsync("rs", "default", propagationPolicy: "Orphan", cancellationToken: Cancellation);
        await Eventually(() => lab.Sets(), s => s.Count == 0);
        var pods = await Eventually(() => lab.Pods("rs"), p => p.TrueForAll(x => x.Metadata.OwnerReferences is not { Count: > 0 }));
        Assert.Equal(2, pods.Count);
    }

    [Fact]
    public async Task A_reference_to_an_owner_that_never_was_is_a_death_sentence_and_one_to_an_unknown_kind_is_not()
    {
        await using var lab = await ControllersGiven.Running();
        V1OwnerReference To(string kind, string version) => new() { ApiVersion = version, Kind = kind, Name = "x", Uid = "0e0e0e0e-0000-0000-0000-000000000000" };
        await lab.Lab.Create(Pod("doomed", more: p => p.Metadata.OwnerReferences = [To("ReplicaSet", "apps/v1")]));
        await lab.Lab.Create(Pod("safe", more: p => p.Metadata.OwnerReferences = [To("Tower", "example.com/v1")]));
        await Eventually(async () => (await lab.Client.CoreV1.ListNamespacedPodAsync("default", cancellationToken: Cancellation)).Items, p => p.Count == 1);
        Assert.Equal("safe", (await lab.Lab.Read("safe")).Name());
    }

    [Fact]
    public async Task A_namespace_has_its_account_and_gets_it_back()
    {
        await using var lab = await ControllersGiven.Running();
        await lab.Client.CoreV1.CreateNamespaceAsync(new() { Metadata = new() { Name = "team" } }, cancellationToken: Cancellation);
        var first = await lab.Client.CoreV1.ReadNamespacedServiceAccountAsync("default", "team", cancellationToken: Cancellation);
        Assert.True((await lab.Client.CoreV1.ReadNamespacedConfigMapAsync("kube-root-ca.crt", "team", cancellationToken: Cancellation)).Data.ContainsKey("ca.crt"));
        await lab.Client.CoreV1.DeleteNamespacedServiceAccountAsync("default", "team", cancellationToken: Cancellation);
        await Eventually(
            async () => (await lab.Client.CoreV1.ListNamespacedServiceAccountAsync("team", cancellationToken: Cancellation)).Items, a => a.Count == 1 && a[0].Uid() != first.Uid());
        await lab.Client.CoreV1.DeleteNamespacedConfigMapAsync("kube-root-ca.crt", "team", cancellationToken: Cancellation);
        await Eventually(async () => (await lab.Client.CoreV1.ListNamespacedConfigMapAsync("team", cancellationToken: Cancellation)).Items, m => m.Count == 1);
        await lab.Client.CoreV1.DeleteNamespaceAsync("team", cancellationToken: Cancellation);
        await Eventually(async () => (await lab.Client.CoreV1.ListNamespaceAsync(cancellationToken: Cancellation)).Items, n => !n.Any(x => x.Name() == "team"));
    }

    [Fact]
    public async Task The_articles_runtime_class_is_there()
    {
        await using var lab = await ControllersGiven.Running();
        Assert.Equal("nvidia", (await lab.Lab.Create(Pod("p", more: p => p.Spec.RuntimeClassName = "nvidia"))).Spec.RuntimeClassName);
    }

    [Fact]
    public async Task A_quota_takes_what_fits_and_gives_back_what_has_ended()
    {
        await using var lab = await ControllersGiven.Running();
        await Quota(lab, ("requests.nvidia.com/gpu", "2"));
        var first = await lab.Lab.Create(Pod("a"));
        await lab.Lab.Create(Pod("b"));
        Assert.Equal(
            (403, "pods \"c\" is forbidden: exceeded quota: q, requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=2, limited: requests.nvidia.com/gpu=2"),
            await Refusal(() => lab.Lab.Create(Pod("c"))));
        await lab.Becomes(first, "Succeeded");
        await Eventually(() => Used(lab, "requests.nvidia.com/gpu"), u => u is "1");
        await lab.Lab.Create(Pod("c"));
    }

    [Fact]
    public async Task A_quota_gets_back_what_objects_of_any_kind_had()
    {
        await using var lab = await ControllersGiven.Running();
        await Quota(lab, ("count/secrets", "1"));
        await lab.Client.CoreV1.CreateNamespacedSecretAsync(new() { Metadata = new() { Name = "one" } }, "default", cancellationToken: Cancellation);
        Assert.Equal(403, (await Refusal(() => lab.Client.CoreV1.CreateNamespacedSecretAsync(new() { Metadata = new() { Name = "two" } }, "default", cancellationToken: Cancellation))).Code);
        await lab.Client.CoreV1.DeleteNamespacedSecretAsync("one", "default", cancellationToken: Cancellation);
        await Eventually(() => Used(lab, "count/secrets"), u => u is "0");
    }

    [Fact]
    public async Task A_limited_amount_must_be_said()
    {
        await using var lab = await ControllersGiven.Running();
        await Quota(lab, ("limits.cpu", "2"), ("requests.memory", "1Gi"));
        Assert.Equal((403, "pods \"p\" is forbidden: failed quota: q: must specify limits.cpu for: c; requests.memory for: c"), await Refusal(() => lab.Lab.Create(Pod("p"))));
    }

    [Fact]
    public async Task However_many_ask_at_once_no_more_get_in_than_fit()
    {
        await using var lab = await ControllersGiven.Running();
        await Quota(lab, ("pods", "5"));
        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(async i =>
            (await lab.Lab.Send("POST", "/api/v1/namespaces/default/pods", "{\"metadata\":{\"name\":\"p" + i + "\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}")).Code));
        Assert.Equal((5, 35), (answers.Count(a => a == 201), answers.Count(a => a == 403)));
        await Eventually(() => Used(lab, "pods"), u => u is "5");
    }

    [Fact]
    public async Task A_set_that_may_not_make_its_pod_says_why()
    {
        await using var lab = await ControllersGiven.Running();
        await Quota(lab, ("pods", "0"));
        await lab.Create(ReplicaSet("rs", 3));
        var why = (await Eventually(() => lab.Told("rs"), t => t.Count > 0))[0];
        Assert.StartsWith("Warning FailedCreate: Error creating: pods \"rs-", why, StringComparison.Ordinal);
        Assert.EndsWith("is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0", why, StringComparison.Ordinal);
        var set = await Eventually(async () => (await lab.Sets()).Single(), s => s.Status.Conditions?.Count > 0);
        Assert.Equal(("ReplicaFailure", "True", "FailedCreate"), (set.Status.Conditions[0].Type, set.Status.Conditions[0].Status, set.Status.Conditions[0].Reason));
    }

    [Fact]
    public async Task A_silent_node_is_unknown_and_loses_its_pods_when_they_no_longer_bear_it()
    {
        await using var lab = await ControllersGiven.Running(more: o => o with { NodeMonitorGracePeriod = TimeSpan.FromSeconds(1) });
        await lab.Client.CoreV1.CreateNodeAsync(
            new()
            {
                Metadata = new() { Name = "n" },
                Status = new() { Conditions = [new() { Type = "Ready", Status = "True", Reason = "KubeletReady", LastHeartbeatTime = new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc) }] },
            },
            cancellationToken: Cancellation);
        await lab.Lab.Create(Pod("patient", node: "n"));
        await lab.Lab.Create(Pod("hasty", node: "n", more: p =>
            p.Spec.Tolerations = [new() { Key = "node.kubernetes.io/unreachable", OperatorProperty = "Exists", Effect = "NoExecute", TolerationSeconds = 0 }]));
        var node = await Eventually(() => lab.Client.CoreV1.ReadNodeAsync("n", cancellationToken: Cancellation), n => n.Spec.Taints?.Count == 2);
        Assert.Equal(["node.kubernetes.io/unreachable:NoExecute", "node.kubernetes.io/unreachable:NoSchedule"], node.Spec.Taints.Select(t => $"{t.Key}:{t.Effect}").Order(StringComparer.Ordinal));
        var ready = node.Status.Conditions.Single(c => c.Type is "Ready");
        Assert.Equal(("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."), (ready.Status, ready.Reason, ready.Message));
        await Eventually(() => lab.Lab.Read("hasty"), p => p.Metadata.DeletionTimestamp is not null);
        Assert.Null((await lab.Lab.Read("patient")).Metadata.DeletionTimestamp);
        await lab.Lab.Send("PATCH", "/api/v1/nodes/n/status",
            """{"status":{"conditions":[{"type":"Ready","status":"True","lastHeartbeatTime":"2026-01-02T00:00:00Z"}]}}""", "application/strategic-merge-patch+json");
        await Eventually(() => lab.Client.CoreV1.ReadNodeAsync("n", cancellationToken: Cancellation), n => n.Spec.Taints is not { Count: > 0 });
    }

    [Fact]
    public async Task A_taint_nobody_bears_does_not_wait_for_one_that_is_borne_a_while()
    {
        await using var lab = await ControllersGiven.Running();
        V1Taint Taint(string key) => new() { Key = key, Effect = "NoExecute" };
        await lab.Client.CoreV1.CreateNodeAsync(new() { Metadata = new() { Name = "n" }, Spec = new() { Taints = [Taint("slow")] } }, cancellationToken: Cancellation);
        await lab.Lab.Create(Pod("p", node: "n", more: p => p.Spec.Tolerations = [new() { Key = "slow", OperatorProperty = "Exists", Effect = "NoExecute", TolerationSeconds = long.MaxValue }]));
        // The controller has looked at the pod under the first taint once it has told another one of it.
        await lab.Lab.Create(Pod("marker", node: "n"));
        await Eventually(() => lab.Lab.Read("marker"), p => p.Metadata.DeletionTimestamp is not null);
        await lab.Lab.Send("PATCH", "/api/v1/nodes/n", KubernetesJson.Serialize(new { spec = new { taints = new[] { Taint("slow"), Taint("now") } } }), "application/merge-patch+json");
        await Eventually(() => lab.Lab.Read("p"), p => p.Metadata.DeletionTimestamp is not null);
    }

    [Fact]
    public async Task A_cordoned_node_is_tainted_until_it_is_uncordoned()
    {
        await using var lab = await ControllersGiven.Running();
        await lab.Client.CoreV1.CreateNodeAsync(new() { Metadata = new() { Name = "n" } }, cancellationToken: Cancellation);
        await lab.Lab.Send("PATCH", "/api/v1/nodes/n", """{"spec":{"unschedulable":true}}""", "application/merge-patch+json");
        await Eventually(() => lab.Client.CoreV1.ReadNodeAsync("n", cancellationToken: Cancellation), n => n.Spec.Taints?.Any(t => t.Key is "node.kubernetes.io/unschedulable") is true);
        await lab.Lab.Send("PATCH", "/api/v1/nodes/n", """{"spec":{"unschedulable":null}}""", "application/merge-patch+json");
        await Eventually(() => lab.Client.CoreV1.ReadNodeAsync("n", cancellationToken: Cancellation), n => n.Spec.Taints is not { Count: > 0 });
    }

    private static async Task Quota(ControllersGiven lab, params (string Name, string Amount)[] hard)
    {
        await lab.Client.CoreV1.CreateNamespacedResourceQuotaAsync(
            new() { Metadata = new() { Name = "q" }, Spec = new() { Hard = hard.ToDictionary(h => h.Name, h => new ResourceQuantity(h.Amount), StringComparer.Ordinal) } },
            "default", cancellationToken: Cancellation);
        await Eventually(() => lab.Client.CoreV1.ReadNamespacedResourceQuotaAsync("q", "default", cancellationToken: Cancellation), q => q.Status?.Used?.Count == hard.Length);
    }

    private static async Task<string?> Used(ControllersGiven lab, string name) =>
        (await lab.Client.CoreV1.ReadNamespacedResourceQuotaAsync("q", "default", cancellationToken: Cancellation)).Status.Used[name].ToString();
}
