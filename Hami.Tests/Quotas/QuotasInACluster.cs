using System.Text.Json.Nodes;
using Hami.Domain.Protocol;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Quotas;

/// <summary>The test plays the admin and kube-scheduler against the running control plane.</summary>
public sealed class QuotasInACluster
{
    [Fact]
    [Trait("Scoreboard", "G01")]
    [Trait("Scoreboard", "G02")]
    [Trait("Hami", "case 28")]
    [Trait("Hami", "case 29")]
    public async Task A_quota_refuses_a_pod_everywhere_until_it_is_raised_and_the_pod_is_woken_then()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 2, cards: 1);
        await SetAsync(scene, "3k");
        await ChangesAsync(scene, 1);
        Assert.Equal("", Error(await scene.BindAsync(await scene.CreatePodAsync("p1", memoryMiB: 2000), "n1")));

        var second = await scene.CreatePodAsync("p2", memoryMiB: 2000);
        var percent = await scene.CreatePodAsync("p3", also: p =>
        {
            p.Spec.Containers[0].Resources.Limits.Remove("nvidia.com/gpumem");
            p.Spec.Containers[0].Resources.Limits["nvidia.com/gpumem-percentage"] = new("20");
        });
        Assert.All((await scene.FilterAsync("p2", "n1", "n2"))["FailedNodes"]!.AsObject(), n => Assert.StartsWith("1/1 ResourceQuotaNotFit", n.Value!.GetValue<string>(), StringComparison.Ordinal));
        Assert.All((await scene.FilterAsync("p3", "n1", "n2"))["FailedNodes"]!.AsObject(), n => Assert.StartsWith("1/1 ResourceQuotaNotFit", n.Value!.GetValue<string>(), StringComparison.Ordinal));
        Assert.Contains("ResourceQuotaNotFit", Error(await scene.BindAsync(second, "n2")), StringComparison.Ordinal);
        Assert.Contains("ResourceQuotaNotFit", Error(await scene.BindAsync(percent, "n2")), StringComparison.Ordinal);
        Assert.StartsWith(
            "exceeding resource quota: the pod asks nvidia.com/gpumem 2000 MiB in all, 1000 are left in namespace default", await DenialAsync(scene, "p2"), StringComparison.Ordinal);

        // What does not limit accelerators is nobody's news.
        await PatchAsync(scene, new { metadata = new { labels = new { team = "a" } } });
        await SetAsync(scene, "5k");
        await WokenAsync(scene, "p2");
        Assert.Equal(2, (await scene.ColumnAsync("select type from hami.mt_events where type = 'quota_changed'")).Count);
        Assert.NotNull((await scene.FilterAsync("p2", "n1", "n2"))["NodeNames"]);
        Assert.Equal("", Error(await scene.BindAsync(second, "n2")));

        await scene.Kubernetes.CoreV1.DeleteNamespacedResourceQuotaAsync("q", "default");
        await ChangesAsync(scene, 3);
        Assert.Equal("", Error(await scene.BindAsync(percent, "n2")));
    }

    [Fact]
    [Trait("Scoreboard", "G01")]
    [Trait("Scoreboard", "G06")]
    public async Task Of_pods_bound_at_once_on_different_nodes_no_more_get_in_than_the_quota_holds_and_their_room_comes_back()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 4, cards: 1);
        await SetAsync(scene, "4k");
        await ChangesAsync(scene, 1);
        var pods = await Task.WhenAll(Enumerable.Range(1, 4).Select(i => scene.CreatePodAsync($"p{i}", memoryMiB: 2000)));

        var binds = await Task.WhenAll(pods.Select((p, i) => scene.BindAsync(p, $"n{i + 1}")));

        Assert.Equal(2, binds.Count(b => Error(b).Length == 0));
        Assert.All(binds.Select(Error).Where(e => e.Length > 0), e => Assert.Contains("ResourceQuotaNotFit", e, StringComparison.Ordinal));
        foreach (var (pod, _) in pods.Zip(binds).Where(b => Error(b.Second).Length == 0))
            await scene.DeletePodAsync(pod.Name());
        foreach (var (pod, i) in pods.Select((p, i) => (p, i)).Where(p => Error(binds[p.i]).Length > 0))
            await ControlPlaneScene.UntilAsync(async () => Error(await scene.BindAsync(pod, $"n{i + 1}")).Length == 0, () => $"{pod.Name()} stays refused:\n{scene.Log}");
        await scene.AssertLogHoldsAsync();
    }

    [Fact]
    public async Task A_quota_that_changed_while_we_were_away_counts_before_anything_is_placed()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, cards: 1);
        await SetAsync(scene, "5k");
        await ChangesAsync(scene, 1);

        await scene.KillApiAsync();
        await SetAsync(scene, "1k");
        await scene.StartApiAsync();

        Assert.Contains("ResourceQuotaNotFit", Error(await scene.BindAsync(await scene.CreatePodAsync("p1", memoryMiB: 2000), "n1")), StringComparison.Ordinal);
        await scene.KillApiAsync();
        await scene.Kubernetes.CoreV1.DeleteNamespacedResourceQuotaAsync("q", "default");
        await scene.StartApiAsync();
        Assert.Equal("", Error(await scene.BindAsync((await scene.FindPodAsync("p1"))!, "n1")));
    }

    private static async Task SetAsync(ControlPlaneScene scene, string memory)
    {
        var hard = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["limits.nvidia.com/gpumem"] = new(memory), ["pods"] = new("100") };
        var quotas = await scene.Kubernetes.CoreV1.ListNamespacedResourceQuotaAsync("default");
        if (quotas.Items.Count > 0)
        {
            await PatchAsync(scene, new { spec = new { hard = new Dictionary<string, string>(StringComparer.Ordinal) { ["limits.nvidia.com/gpumem"] = memory } } });
            return;
        }
        await scene.Kubernetes.CoreV1.CreateNamespacedResourceQuotaAsync(
            new() { Metadata = new() { Name = "q" }, Spec = new() { Hard = hard } }, "default");
        // What kube-controller-manager would: without it the server knows no usage and lets no pod in.
        var status = new { status = new { hard = new { pods = "100" }, used = new { pods = "0" } } };
        await scene.Kubernetes.CoreV1.PatchNamespacedResourceQuotaStatusAsync(new V1Patch(status, V1Patch.PatchType.MergePatch), "q", "default");
    }

    private static Task<V1ResourceQuota> PatchAsync(ControlPlaneScene scene, object patch) =>
        scene.Kubernetes.CoreV1.PatchNamespacedResourceQuotaAsync(new V1Patch(patch, V1Patch.PatchType.MergePatch), "q", "default");

    private static Task ChangesAsync(ControlPlaneScene scene, int count) => ControlPlaneScene.UntilAsync(
        async () => (await scene.ColumnAsync("select type from hami.mt_events where type = 'quota_changed'")).Count == count,
        () => $"the quota did not change {count} times:\n{scene.Log}");

    private static Task WokenAsync(ControlPlaneScene scene, string pod) => ControlPlaneScene.UntilAsync(
        async () => (await scene.FindPodAsync(pod))?.GetAnnotation(HamiKeys.Wake) is not null, () => $"{pod} was not woken:\n{scene.Log}");

    private static async Task<string> DenialAsync(ControlPlaneScene scene, string pod)
    {
        var answer = await scene.PostAsync("webhook", new JsonObject
        {
            ["apiVersion"] = "admission.k8s.io/v1", ["kind"] = "AdmissionReview",
            ["request"] = new JsonObject { ["uid"] = "r-1", ["object"] = (await scene.FilterArgumentsAsync(pod))["Pod"]!.DeepClone() },
        });
        return answer["response"]!["status"]!["message"]!.GetValue<string>();
    }

    private static string Error(JsonObject answer) => answer["Error"]!.GetValue<string>();
}
