using Hami.Domain.Protocol;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Observing;

/// <summary>A cluster that HAMi v2.10 has filled is taken over.</summary>
public sealed class AdoptingThroughTheApi
{
    private const string Adopted = "select data->>'pod' from hami.mt_events where type = 'allocation_adopted' order by 1";

    [Fact]
    [Trait("Scoreboard", "H09")]
    [Trait("Scoreboard", "H15")]
    [Trait("Hami", "case 85")]
    public async Task Pods_that_HAMi_placed_hold_their_cards_over_restarts_until_they_are_gone()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, flags: "--adopt");
        await scene.KillApiAsync();
        await PlacedByHamiAsync(scene, "running", "GPU-n1-0,NVIDIA,3000,0:;", BindPhases.Success);
        // HAMi left the entry of a container without cards out.
        await PlacedByHamiAsync(scene, "compacted", "GPU-n1-1,NVIDIA,4000,0:;", BindPhases.Allocating, mesh: true);
        await PlacedByHamiAsync(scene, "unreadable", "GPU-n1-1,NVIDIA,4000:;", BindPhases.Success);
        await PlacedByHamiAsync(scene, "nodeless", "GPU-n1-1,NVIDIA,5000,0:;", BindPhases.Allocating, node: null);
        await PlacedByHamiAsync(scene, "elsewhere", "GPU-n2-0,NVIDIA,1000,0:;", BindPhases.Success, node: "n2");
        await NextSecondAsync();
        await scene.StartApiAsync();
        await HoldsAsync(scene, ("GPU-n1-0", 3000), ("GPU-n1-1", 4000));

        // Its node's agent comes back later than we do; until then nobody knows the card.
        await ControlPlaneScene.UntilAsync(() => Task.FromResult(scene.Log.Contains("default/elsewhere holds on n2 is not counted: it names card GPU-n2-0", StringComparison.Ordinal)), () => scene.Log);
        await scene.AddNodeAsync("n2");
        await HoldsAsync(scene, ("GPU-n1-0", 3000), ("GPU-n1-1", 4000), ("GPU-n2-0", 1000));
        await scene.DeletePodAsync("elsewhere");

        // Written on a pod that is ours to place, whoever put it on the node.
        await PlacedByHamiAsync(scene, "forged", "GPU-n1-0,NVIDIA,2000,0:;", BindPhases.Success);
        await ControlPlaneScene.UntilAsync(
            () => Task.FromResult(scene.Log.Contains("What default/forged holds on n1 is not counted: it was created after", StringComparison.Ordinal)), () => scene.Log);
        await scene.DeletePodAsync("forged");

        // Placed while we were away, and ended by its user before we came back.
        await scene.KillApiAsync();
        await PlacedByHamiAsync(scene, "ending", "GPU-n1-0,NVIDIA,2000,0:;", BindPhases.Success);
        await scene.Kubernetes.CoreV1.DeleteNamespacedPodAsync("ending", "default", gracePeriodSeconds: 3600);
        await NextSecondAsync();
        await scene.StartApiAsync();
        await HoldsAsync(scene, ("GPU-n1-0", 5000), ("GPU-n1-1", 4000));
        Assert.Equal(["compacted", "elsewhere", "ending", "running"], await scene.ColumnAsync(Adopted));
        Assert.Contains("What default/unreadable holds on n1 is not counted", scene.Log, StringComparison.Ordinal);

        await PatchAsync(scene, "compacted", HamiKeys.BindPhase, BindPhases.Success);
        await ControlPlaneScene.UntilAsync(
            async () => (await scene.ColumnAsync("select type from hami.mt_events where type = 'allocation_attached'")).Count == 1, () => $"not attached:\n{scene.Log}");
        // What was adopted is in the log: the annotations are not asked again.
        await PatchAsync(scene, "running", HamiKeys.PodNode, null);
        await EndAsync(scene, "running", "Succeeded");
        await EndAsync(scene, "ending", "Failed");
        await scene.DeletePodAsync("compacted");
        await HoldsAsync(scene);
        Assert.Equal(["Completed", "Deleted", "Deleted", "Deleted"], await scene.ColumnAsync("select data->>'reason' from hami.mt_events where type = 'allocation_released' order by 1"));
        Assert.Empty(await scene.ColumnAsync("select pod_uid from hami.live_allocation"));
    }

    [Fact]
    public async Task Outside_of_a_migration_annotations_take_nothing_and_the_log_says_how_to_count_them()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1);
        await scene.KillApiAsync();
        await PlacedByHamiAsync(scene, "forged", "GPU-n1-0,NVIDIA,10000,0:;", BindPhases.Success);
        await scene.StartApiAsync();

        await PlacedByHamiAsync(scene, "later", "GPU-n1-1,NVIDIA,10000,0:;", BindPhases.Success);
        var pod = await scene.CreatePodAsync("p1", memoryMiB: 10000);
        await scene.FilterAsync("p1", "n1");
        Assert.Equal("", (await scene.BindAsync(pod, "n1"))["Error"]!.GetValue<string>());
        Assert.Single(await scene.HeldByLedgerAsync());
        Assert.Empty(await scene.ColumnAsync(Adopted));
        Assert.Contains("start with --adopt", scene.Log, StringComparison.Ordinal);
    }

    /// <summary>As HAMi does it: the annotations by patches, then a bare Binding.</summary>
    private static async Task PlacedByHamiAsync(ControlPlaneScene scene, string name, string list, string phase, string? node = "n1", bool mesh = false)
    {
        await scene.CreatePodAsync(name, memoryMiB: 10000, also: p =>
        {
            p.Metadata.Annotations = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                [HamiKeys.PodNode] = node ?? "n1", [HamiKeys.DevicesAllocated] = list, [HamiKeys.DevicesToAllocate] = list, [HamiKeys.BindPhase] = phase,
            };
            if (mesh)
                p.Spec.InitContainers = [new() { Name = "mesh", Image = "x" }];
        });
        if (node is not null)
        {
            await scene.Kubernetes.CoreV1.CreateNamespacedPodBindingAsync(
                new V1Binding { Metadata = new() { Name = name }, Target = new() { ApiVersion = "v1", Kind = "Node", Name = node } }, name, "default");
        }
    }

    // A pod's creation is told in whole seconds.
    private static Task NextSecondAsync() => Task.Delay(TimeSpan.FromSeconds(1));

    private static Task<V1Pod> PatchAsync(ControlPlaneScene scene, string pod, string key, string? value) => scene.Kubernetes.CoreV1.PatchNamespacedPodAsync(
        new V1Patch(
            System.Text.Json.JsonSerializer.Serialize(new { metadata = new { annotations = new Dictionary<string, string?>(StringComparer.Ordinal) { [key] = value } } }),
            V1Patch.PatchType.MergePatch), pod, "default");

    private static Task<V1Pod> EndAsync(ControlPlaneScene scene, string pod, string phase) => scene.Kubernetes.CoreV1.PatchNamespacedPodStatusAsync(
        new V1Patch(new { status = new { phase } }, V1Patch.PatchType.MergePatch), pod, "default");

    private static async Task HoldsAsync(ControlPlaneScene scene, params (string Card, long MiB)[] cards) => await ControlPlaneScene.UntilAsync(
        async () => (await scene.HeldByLedgerAsync()).SequenceEqual(cards.Select(c => KeyValuePair.Create(c.Card, c.MiB))),
        () => $"the ledger holds {string.Join(", ", scene.HeldByLedgerAsync().Result)}\n{scene.Log}");
}
