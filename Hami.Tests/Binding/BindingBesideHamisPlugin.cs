using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Hami.Domain.Protocol;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Binding;

/// <summary>Nodes that still run HAMi's device plugin, beside nodes with our agent.</summary>
public sealed class BindingBesideHamisPlugin
{
    [Fact]
    [Trait("Scoreboard", "C16")]
    [Trait("Scoreboard", "F05")]
    [Trait("Hami", "case 83")]
    public async Task Members_of_one_pod_group_that_bind_to_one_node_at_once_all_succeed()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, flags: ["--node-lock-retry-timeout", "60s"]);
        await scene.AddNodeAsync("hami", isOurs: false);
        await KnownAsync(scene, "hami");
        using var ending = new CancellationTokenSource();
        var served = new ConcurrentQueue<string>();
        var plugin = ServeAsync(scene, "hami", served, ending.Token);

        foreach (var node in new[] { "hami", "n1" })
        {
            var pods = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => scene.CreatePodAsync(
                $"{node}-{i}", also: p => p.Metadata.Labels = new Dictionary<string, string>(StringComparer.Ordinal) { [HamiKeys.PodGroup] = "gang" })));
            foreach (var pod in pods)
                await scene.FilterAsync(pod.Name(), node);
            var answers = await Task.WhenAll(pods.Select(p => scene.BindAsync(p, node)));
            Assert.All(answers, a => Assert.Equal("", Error(a)));
        }

        await ControlPlaneScene.UntilAsync(() => Task.FromResult(served.Count == 6), () => $"served: {string.Join(' ', served)}\n{scene.Log}");
        Assert.Equal(6, served.Distinct(StringComparer.Ordinal).Count());
        await ending.CancelAsync();
        await plugin;
        await scene.AssertBooksAgreeAsync();
        // A node with our agent takes no turns.
        Assert.Null((await scene.Kubernetes.CoreV1.ReadNodeAsync("n1")).GetAnnotation(HamiKeys.NodeLock));
    }

    [Fact]
    [Trait("Scoreboard", "H02")]
    [Trait("Scoreboard", "F06")]
    [Trait("Hami", "case 82")]
    [Trait("Hami", "case 84")]
    [Trait("Scoreboard", "F05")]
    public async Task A_bind_that_fails_gives_back_what_it_took_and_the_lock()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 0, flags: ["--node-lock-retry-timeout", "500ms"]);
        await scene.AddNodeAsync("hami", cards: 1, slots: 1, isOurs: false);
        await KnownAsync(scene, "hami");

        // The pod is gone.
        var gone = await scene.CreatePodAsync("gone");
        await scene.FilterAsync("gone", "hami");
        await scene.DeletePodAsync("gone");
        Assert.NotEqual("", Error(await scene.BindAsync(gone, "hami")));
        Assert.Null(await LockAsync(scene));
        Assert.Empty(await scene.HeldByLedgerAsync());

        // The node is none of the cluster's.
        var lost = await scene.CreatePodAsync("lost");
        await scene.FilterAsync("lost", "hami");
        Assert.Equal("failed to get node nowhere", Error(await scene.BindAsync(lost, "nowhere")));
        await scene.DeletePodAsync("lost");

        // Somebody else's turn: nothing is taken, and the reservation goes too.
        await scene.CreatePodAsync("holder");
        await LockAsync(scene, "holder");
        var waits = await scene.CreatePodAsync("waits");
        Assert.Single((await scene.FilterAsync("waits", "hami"))["NodeNames"]!.AsArray());
        Assert.Equal("timed out after 500ms waiting for node hami to be unlocked: node lock contention", Error(await scene.BindAsync(waits, "hami")));
        Assert.EndsWith(",holder", await LockAsync(scene), StringComparison.Ordinal);
        Assert.Empty(await scene.HeldByLedgerAsync());

        // Placement refuses after the lock was taken.
        await scene.DeletePodAsync("holder");
        await scene.FilterAsync("waits", "hami");
        Assert.Equal("", Error(await scene.BindAsync(waits, "hami")));
        Assert.EndsWith(",waits", await LockAsync(scene), StringComparison.Ordinal);
        await scene.Kubernetes.CoreV1.PatchNodeAsync(Annotate(null), "hami");
        var late = await scene.CreatePodAsync("late");
        Assert.Contains("CardTimeSlicingExhausted", Error(await scene.BindAsync(late, "hami")), StringComparison.Ordinal);
        Assert.Null(await LockAsync(scene));

        // Asked again after it was bound and served, as when the first answer was lost: no lock that nobody would take away.
        Assert.Equal("", Error(await scene.BindAsync(waits, "hami")));
        Assert.Null(await LockAsync(scene));
        await scene.AssertBooksAgreeAsync();

        await SaidAsync(scene, "BindingSucceed", "Successfully binding node [hami] to default/waits");
        await SaidAsync(scene, "BindingFailed", "failed to get node nowhere");
        await SaidAsync(scene, "BindingFailed", "timed out after 500ms waiting for node hami to be unlocked: node lock contention");
    }

    [Fact]
    [Trait("Scoreboard", "F06")]
    public async Task A_bind_that_a_crash_cut_off_gives_the_lock_back_when_it_is_settled()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 0);
        await scene.AddNodeAsync("hami", isOurs: false);
        await KnownAsync(scene, "hami");
        var pod = await scene.CreatePodAsync("p1");
        await scene.FilterAsync("p1", "hami");
        var held = scene.Server.Faults.HoldNextBinding("default", "p1");
        var bind = Record.ExceptionAsync(() => scene.BindAsync(pod, "hami"));
        await held.Arrived;
        await scene.KillApiAsync();
        await bind;
        Assert.EndsWith(",p1", await LockAsync(scene), StringComparison.Ordinal);

        await scene.StartApiAsync();

        Assert.Null(await LockAsync(scene));
        Assert.Empty(await scene.HeldByLedgerAsync());
        held.Release();
        await held.Finished;
        Assert.Null((await scene.FindPodAsync("p1"))!.Spec.NodeName);
    }

    [Fact]
    [Trait("Hami", "case 86")]
    public async Task A_pod_that_is_asked_for_again_on_nodes_that_are_none_gives_its_reservation_back()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, cards: 1, slots: 1);
        await scene.CreatePodAsync("p1");
        await scene.CreatePodAsync("p2");
        await scene.FilterAsync("p1", "n1");
        Assert.Null((await scene.FilterAsync("p2", "n1"))["NodeNames"]);

        Assert.Null((await scene.FilterAsync("p1", "nowhere"))["NodeNames"]);

        Assert.NotNull((await scene.FilterAsync("p2", "n1"))["NodeNames"]);
    }

    private static Task SaidAsync(ControlPlaneScene scene, string reason, string message) => ControlPlaneScene.UntilAsync(
        async () => (await scene.Kubernetes.CoreV1.ListNamespacedEventAsync("default")).Items.Any(e => e.Reason == reason && e.Message == message),
        () => $"no event {reason}: {message}\n{scene.Log}");

    /// <summary>HAMi's plugin, as far as the scheduler notices it: it serves the pod that the lock names, then takes the lock away.</summary>
    private static async Task ServeAsync(ControlPlaneScene scene, string node, ConcurrentQueue<string> served, CancellationToken ending)
    {
        while (!ending.IsCancellationRequested)
        {
            await Task.Delay(20, CancellationToken.None);
            var text = (await scene.Kubernetes.CoreV1.ReadNodeAsync(node, cancellationToken: CancellationToken.None)).GetAnnotation(HamiKeys.NodeLock);
            if (text?.Split(',') is not [_, _, var name] || await scene.FindPodAsync(name) is not { Spec.NodeName: { } bound })
                continue;
            Assert.Equal(node, bound);
            var waiting = (await scene.Kubernetes.CoreV1.ListNamespacedPodAsync("default", cancellationToken: CancellationToken.None)).Items
                .Where(p => p.Spec.NodeName == node && p.GetAnnotation(HamiKeys.BindPhase) == BindPhases.Allocating).Select(p => p.Name());
            Assert.Equal([name], waiting);
            var success = new { metadata = new { annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [HamiKeys.BindPhase] = BindPhases.Success } } };
            await scene.Kubernetes.CoreV1.PatchNamespacedPodAsync(new V1Patch(success, V1Patch.PatchType.MergePatch), name, "default", cancellationToken: CancellationToken.None);
            served.Enqueue(name);
            await scene.Kubernetes.CoreV1.PatchNodeAsync(Annotate(null), node, cancellationToken: CancellationToken.None);
        }
    }

    private static Task KnownAsync(ControlPlaneScene scene, string node) => ControlPlaneScene.UntilAsync(
        async () => (await scene.QueryAsync("{ nodes { items { name } } }"))["nodes"]!["items"]!.AsArray().Any(n => n!["name"]!.GetValue<string>() == node), () => $"{node} is not known:\n{scene.Log}");

    private static async Task<string?> LockAsync(ControlPlaneScene scene, string? takenBy = null)
    {
        if (takenBy is not null)
            await scene.Kubernetes.CoreV1.PatchNodeAsync(Annotate($"{TimeProvider.System.GetUtcNow():yyyy-MM-dd'T'HH:mm:ss'Z'},default,{takenBy}"), "hami");
        return (await scene.Kubernetes.CoreV1.ReadNodeAsync("hami")).GetAnnotation(HamiKeys.NodeLock);
    }

    private static V1Patch Annotate(string? text) => new(
        System.Text.Json.JsonSerializer.Serialize(new { metadata = new { annotations = new Dictionary<string, string?>(StringComparer.Ordinal) { [HamiKeys.NodeLock] = text } } }),
        V1Patch.PatchType.MergePatch);

    private static string Error(JsonObject result) => result["Error"]!.GetValue<string>();
}
