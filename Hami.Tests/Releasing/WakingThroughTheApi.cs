using Hami.Domain.Protocol;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Releasing;

/// <summary>The running control plane touches whom it refused, also for what kube-scheduler never hears of.</summary>
public sealed class WakingThroughTheApi
{
    [Fact]
    public async Task A_reservation_that_expires_a_card_uncordoned_and_one_restart_later_another_wake_the_pods_refused_for_them()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, cards: 1, flags: ["--reservation-timeout", "1s"]);
        await scene.CreatePodAsync("holder", memoryMiB: 9000);
        await scene.FilterAsync("holder", "n1");
        await RefusedAsync(scene, "p1");
        var first = await WokenAsync(scene, "p1", null);

        // Cordoned, p1 is refused again; uncordoned by another process's hand while we are away.
        await CordonAsync(scene, "GPU-n1-0");
        await RefusedAsync(scene, "p1");
        await CordonAsync(scene, "");
        var second = await WokenAsync(scene, "p1", first);
        await CordonAsync(scene, "GPU-n1-0");
        await RefusedAsync(scene, "p1");
        await ControlPlaneScene.UntilAsync(
            async () => (await scene.QueryAsync("{ pendingPods { items { pod } } }"))["pendingPods"]!["items"]!.AsArray().Count == 1, () => "p1 is not known to wait");
        await scene.KillApiAsync();
        await scene.StartApiAsync();
        await CordonAsync(scene, "");

        await WokenAsync(scene, "p1", second);
    }

    private static async Task RefusedAsync(ControlPlaneScene scene, string pod)
    {
        if (await scene.FindPodAsync(pod) is null)
            await scene.CreatePodAsync(pod, memoryMiB: 5000);
        // Until the control plane has seen what speaks against it.
        await ControlPlaneScene.UntilAsync(async () => (await scene.FilterAsync(pod, "n1"))["FailedNodes"] is not null, () => $"{pod} is not refused:\n{scene.Log}");
    }

    private static Task<V1Node> CordonAsync(ControlPlaneScene scene, string cards) => scene.Kubernetes.CoreV1.PatchNodeAsync(
        new V1Patch(new { metadata = new { annotations = new Dictionary<string, string?>(StringComparer.Ordinal) { [HamiKeys.DeviceCordon] = cards.Length == 0 ? null : cards } } },
            V1Patch.PatchType.MergePatch), "n1");

    private static async Task<string> WokenAsync(ControlPlaneScene scene, string pod, string? before)
    {
        var word = before;
        await ControlPlaneScene.UntilAsync(
            async () => (word = (await scene.FindPodAsync(pod))?.GetAnnotation(HamiKeys.Wake)) is not null && word != before, () => $"{pod} was not woken:\n{scene.Log}");
        return word!;
    }
}
