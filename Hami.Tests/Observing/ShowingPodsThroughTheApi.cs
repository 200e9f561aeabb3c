using System.Text.Json.Nodes;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Observing;

/// <summary>Allocations and waiting pods are shown with what the API server says of the pod now.</summary>
public sealed class ShowingPodsThroughTheApi(RunningScene running) : IClassFixture<RunningScene>
{
    private const string Live = "live { phase reason message ready priority containers { name image state reason lastReason restarts cpuRequestMilli memoryLimitMiB } }";

    private ControlPlaneScene Scene => running.Scene;

    [Fact]
    [Trait("Scoreboard", "M18")]
    [Trait("Scoreboard", "M20")]
    [Trait("Scoreboard", "M21")]
    public async Task An_allocation_follows_its_pod_until_that_is_gone()
    {
        var pod = await Scene.CreatePodAsync("crashes", memoryMiB: 100, also: p =>
        {
            p.Spec.Containers[0].Resources.Requests = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["cpu"] = new("250m") };
            p.Spec.Containers[0].Resources.Limits["memory"] = new("1Gi");
        });
        Assert.NotNull((await Scene.FilterAsync("crashes", "n1"))["NodeNames"]);
        Assert.Equal("", (await Scene.BindAsync(pod, "n1"))["Error"]!.GetValue<string>());
        await UntilAsync("allocations", "crashes", l => l?["phase"]?.ToString() == "Pending" && l["reason"] is null);
        await PatchAsync("crashes", new
        {
            status = new
            {
                phase = "Running",
                containerStatuses = new[]
                {
                    new
                    {
                        name = "main", image = "x", imageID = "", ready = false, restartCount = 4, state = new { waiting = new { reason = "CrashLoopBackOff", message = "back-off 5m0s" } },
                        lastState = new { terminated = new { exitCode = 137, reason = "OOMKilled" } },
                    },
                },
            },
        });

        var live = await UntilAsync("allocations", "crashes", l => l?["phase"]?.ToString() == "Running");

        Assert.Equal(
            """{"phase":"Running","reason":"CrashLoopBackOff","message":"back-off 5m0s","ready":false,"priority":0,"containers":[{"name":"main","image":"x","state":"Waiting","reason":"CrashLoopBackOff","lastReason":"OOMKilled","restarts":4,"cpuRequestMilli":250,"memoryLimitMiB":1024}]}""",
            live!.ToJsonString());

        await PatchAsync("crashes", new { status = new { phase = "Failed", reason = "Evicted", containerStatuses = Array.Empty<object>() } });
        Assert.Equal("Evicted", (await UntilAsync("allocations", "crashes", l => l?["phase"]?.ToString() == "Failed"))!["reason"]!.ToString());
        await Scene.DeletePodAsync("crashes");
        await UntilAsync("allocations", "crashes", l => l is null);
    }

    [Fact]
    public async Task A_pod_that_waits_shows_what_the_API_server_says_too()
    {
        await Scene.CreatePodAsync("waits", memoryMiB: 1_000_000);
        await Scene.FilterAsync("waits", "n1");
        await PatchAsync("waits", new { status = new { phase = "Pending", conditions = new[] { new { type = "PodScheduled", status = "False", reason = "Unschedulable", message = "0/1 nodes are available" } } } });

        Assert.Equal("Pending", (await UntilAsync("pendingPods", "waits", l => l?["message"]?.ToString() == "0/1 nodes are available"))!["phase"]!.ToString());
    }

    private Task<V1Pod> PatchAsync(string pod, object status) =>
        Scene.Kubernetes.CoreV1.PatchNamespacedPodStatusAsync(new V1Patch(status, V1Patch.PatchType.MergePatch), pod, "default");

    private async Task<JsonNode?> UntilAsync(string list, string pod, Func<JsonNode?, bool> holds)
    {
        JsonNode? live = null;
        await ControlPlaneScene.UntilAsync(
            // A busy machine may not answer the first question in time.
            async () => await Scene.QueryAsync($"{{ list: {list}(filter: {{ pod: \"{pod}\" }}) {{ items {{ {Live} }} }} }}") is { } data
                && data["list"]!["items"]!.AsArray() is [{ } row] && holds(live = row["live"]),
            () => $"{pod} is shown as {live?.ToJsonString()}\n{Scene.Log}");
        return live;
    }
}
