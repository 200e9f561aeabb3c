using System.Text.Json.Nodes;
using Hami.Domain.Protocol;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Registering;

/// <summary>What is written on a node counts as soon as it is there, and nothing else makes a card come or go.</summary>
public sealed class FollowingNodesThroughTheApi
{
    [Fact]
    [Trait("Hami", "case 34")]
    [Trait("Hami", "case 35")]
    [Trait("Scoreboard", "B08")]
    [Trait("Scoreboard", "F02")]
    public async Task A_cordon_counts_at_once_a_handshake_never_and_a_node_without_its_annotation_is_withdrawn()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, cards: 2);
        await scene.CreatePodAsync("p1");

        // HAMi's old poll: whatever it says, and though the kubelet advertises no device at all, the cards are what their agent published.
        foreach (var handshake in new[] { "Requesting_2020-01-01 00:00:00", "Requesting_2099-01-01 00:00:00", "Requesting", "Deleted_2026-01-01 00:00:00", "oops_x" })
            await Annotate("hami.io/node-handshake", handshake);
        await Annotate(HamiKeys.DeviceCordon, "GPU-n1-0");
        await ControlPlaneScene.UntilAsync(() => Refuses("1/2 AllocatedCardsInsufficientRequest, 1/2 CardCordoned", gpu: 2), () => scene.Log);
        Assert.Equal("n1", (await scene.FilterAsync("p1", "n1"))["NodeNames"]![0]!.GetValue<string>());

        await Annotate(HamiKeys.DeviceCordon, "GPU-n1-0, GPU-n1-1,");
        await ControlPlaneScene.UntilAsync(() => Refuses("2/2 CardCordoned"), () => scene.Log);

        await Annotate(HamiKeys.DeviceCordon, null);
        await ControlPlaneScene.UntilAsync(async () => (await scene.FilterAsync("p1", "n1"))["NodeNames"] is not null, () => scene.Log);

        await Annotate(HamiKeys.NodeRegister, null);
        await ControlPlaneScene.UntilAsync(() => Refuses("node unregistered"), () => scene.Log);

        Task Annotate(string key, string? value) => scene.Kubernetes.CoreV1.PatchNodeAsync(
            new V1Patch(
                new JsonObject { ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { [key] = value } } }.ToJsonString(),
                V1Patch.PatchType.MergePatch),
            "n1");

        async Task<bool> Refuses(string reason, int gpu = 1)
        {
            var name = $"asking-{gpu}";
            if (await scene.FindPodAsync(name) is null)
                await scene.CreatePodAsync(name, gpu);
            return (await scene.FilterAsync(name, "n1"))["FailedNodes"]?["n1"]?.GetValue<string>().StartsWith(reason, StringComparison.Ordinal) == true;
        }
    }
}
