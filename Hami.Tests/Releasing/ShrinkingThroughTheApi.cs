using Hami.Domain.Protocol;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Releasing;

/// <summary>A pod whose init container needs more than its app.</summary>
public sealed class ShrinkingThroughTheApi
{
    [Fact]
    [Trait("Scoreboard", "A23")]
    [Trait("Hami", "case 72")]
    public async Task What_only_the_init_container_needed_is_free_when_it_has_succeeded_and_wakes_who_waits_for_it()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, cards: 1, memoryMiB: 24000);
        var pod = await scene.CreatePodAsync("p1", memoryMiB: 10000, also: p => p.Spec.InitContainers =
            [new() { Name = "load", Image = "x", Resources = Limits(20000) }, new() { Name = "plain", Image = "x" }]);
        await scene.FilterAsync("p1", "n1");
        Assert.Equal("", (await scene.BindAsync(pod, "n1"))["Error"]!.GetValue<string>());
        Assert.Equal(20000, (await scene.HeldByLedgerAsync())["GPU-n1-0"]);
        await scene.CreatePodAsync("p2", memoryMiB: 14000);
        Assert.Null((await scene.FilterAsync("p2", "n1"))["NodeNames"]);

        // One of the two is not enough.
        await StatusAsync(scene, ("load", 0));
        await Task.Delay(300);
        Assert.Empty(await ShrunkAsync(scene));
        await StatusAsync(scene, ("load", 0), ("plain", 0));

        await ControlPlaneScene.UntilAsync(
            async () => (await scene.FindPodAsync("p2"))!.GetAnnotation(HamiKeys.Wake) is not null, () => $"p2 was not woken:\n{scene.Log}");
        Assert.Equal(10000, (await scene.HeldByLedgerAsync())["GPU-n1-0"]);
        Assert.NotNull((await scene.FilterAsync("p2", "n1"))["NodeNames"]);
        Assert.Equal(["10000"], await scene.ColumnAsync("select memory_mib::text from hami.live_allocation"));

        // Neither a restart nor the init container's own restart takes it again.
        await scene.KillApiAsync();
        await StatusAsync(scene, ("load", 1), ("plain", 0));
        await scene.StartApiAsync();
        await StatusAsync(scene, ("load", 0), ("plain", 0));
        await Task.Delay(300);
        Assert.Equal(10000, (await scene.HeldByLedgerAsync())["GPU-n1-0"]);
        Assert.Single(await ShrunkAsync(scene));
        await scene.DeletePodAsync("p1");
        await ControlPlaneScene.UntilAsync(async () => (await scene.HeldByLedgerAsync()).Count == 0, () => $"not released:\n{scene.Log}");
    }

    private static Task<List<string>> ShrunkAsync(ControlPlaneScene scene) => scene.ColumnAsync("select type from hami.mt_events where type = 'allocation_shrunk'");

    private static Task<V1Pod> StatusAsync(ControlPlaneScene scene, params (string Name, int ExitCode)[] ended) => scene.Kubernetes.CoreV1.PatchNamespacedPodStatusAsync(
        new V1Patch(
            new
            {
                status = new
                {
                    initContainerStatuses = ended.Select(e => new
                    {
                        name = e.Name, image = "x", imageID = "x", ready = true, restartCount = 0, state = new { terminated = new { exitCode = e.ExitCode } },
                    }),
                },
            },
            V1Patch.PatchType.MergePatch), "p1", "default");

    private static V1ResourceRequirements Limits(long memoryMiB) => new()
    {
        Limits = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["nvidia.com/gpu"] = new("1"), ["nvidia.com/gpumem"] = new($"{memoryMiB}") },
    };
}
