using System.Text.Json.Nodes;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Placing;

/// <summary>What kube-scheduler is told when it asks whom a more important pod may push aside.</summary>
public sealed class PreemptingThroughTheApi
{
    [Fact]
    public async Task Evictions_are_kept_where_cards_help_completed_where_they_are_not_enough_and_saved_where_they_are_in_vain()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 4, cards: 1);
        await ClassesAsync(scene);
        var plain = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var n = 1; n <= 4; n++)
        {
            await PlacedAsync(scene, $"lesser-{n}", $"n{n}", n == 3 ? "high" : "low", 9000);
            plain[$"n{n}"] = (await PlainAsync(scene, $"plain-{n}", $"n{n}")).Uid();
        }
        var important = await scene.CreatePodAsync("important", memoryMiB: 8000, also: Class("high"));
        var lesser = (await scene.FindPodAsync("lesser-1"))!.Uid();
        // n4's lesser pod is one that kube-scheduler means to evict already; n3's is as important; n9 is none of ours.
        var onN4 = (await scene.FindPodAsync("lesser-4"))!.Uid();
        await SeenAsync(scene);

        var answer = await scene.PostAsync("preempt", await ArgumentsAsync(
            scene, "important", ("n1", [plain["n1"]]), ("n3", [plain["n3"]]), ("n4", [onN4]), ("n9", ["nobody"])));

        var victims = answer["NodeNameToMetaVictims"]!.AsObject();
        Assert.Equal(["n1", "n4"], victims.Select(n => n.Key).Order(StringComparer.Ordinal));
        Assert.Equal([lesser, plain["n1"]], Uids(victims["n1"]!).Order(StringComparer.Ordinal).OrderBy(uid => uid == plain["n1"]));
        Assert.Equal([onN4], Uids(victims["n4"]!));
        Assert.Equal(1, victims["n1"]!["NumPDBViolations"]!.GetValue<int>());

        await ControlPlaneScene.UntilAsync(async () => (await PlansAsync(scene)).Count == 1, () => $"no plan is written:\n{scene.Log}");
        var plan = (await PlansAsync(scene))[0];
        Assert.Contains("Evicting 1 to 2 pods makes room on 2 of 4 nodes that kube-scheduler had in mind.", plan, StringComparison.Ordinal);
        Assert.Contains(important.Uid(), plan, StringComparison.Ordinal);

        // Whole pods are read like UIDs; the same plan is not written again, a changed one is.
        var whole = await ArgumentsAsync(scene, "important");
        whole["NodeNameToMetaVictims"] = null;
        whole["NodeNameToVictims"] = new JsonObject
        {
            ["n1"] = new JsonObject { ["Pods"] = new JsonArray((await scene.FilterArgumentsAsync("plain-1"))["Pod"]!.DeepClone()), ["NumPDBViolations"] = 0 },
            ["n4"] = new JsonObject { ["Pods"] = new JsonArray((await scene.FilterArgumentsAsync("lesser-4"))["Pod"]!.DeepClone()), ["NumPDBViolations"] = 0 },
        };
        var same = (await scene.PostAsync("preempt", whole))["NodeNameToMetaVictims"]!.AsObject();
        Assert.Equal(Uids(victims["n1"]!), Uids(same["n1"]!));
        var none = await scene.PostAsync("preempt", await ArgumentsAsync(scene, "important", ("n3", [plain["n3"]])));
        Assert.Empty(none["NodeNameToMetaVictims"]!.AsObject());
        await ControlPlaneScene.UntilAsync(async () => (await PlansAsync(scene)).Count == 2, () => $"no second plan is written:\n{scene.Log}");
        Assert.Contains("No eviction of less important pods", (await PlansAsync(scene))[1], StringComparison.Ordinal);

        // The room of a pod that is ending comes anyway, however important it was; nobody else need go for it.
        await scene.Kubernetes.CoreV1.DeleteNamespacedPodAsync("lesser-3", "default");
        await ControlPlaneScene.UntilAsync(
            async () => (await scene.PostAsync("preempt", await ArgumentsAsync(scene, "important", ("n3", [plain["n3"]]))))["NodeNameToMetaVictims"]!["n3"] is { } n3
                && Uids(n3).SequenceEqual([plain["n3"]], StringComparer.Ordinal),
            () => $"n3 has no room to come:\n{scene.Log}");
    }

    [Fact]
    public async Task Cards_that_are_being_made_free_for_a_pod_go_to_nobody_else()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, cards: 1);
        await ClassesAsync(scene);
        await PlacedAsync(scene, "lesser", "n1", "low", 9000);
        var plain = await PlainAsync(scene, "plain", "n1");
        var important = await scene.CreatePodAsync("important", memoryMiB: 8000, also: Class("high"));
        await scene.CreatePodAsync("thief", memoryMiB: 3000, also: Class("low"));
        await scene.CreatePodAsync("small", memoryMiB: 500, also: Class("low"));
        await SeenAsync(scene);
        Assert.NotEmpty((await scene.PostAsync("preempt", await ArgumentsAsync(scene, "important", ("n1", [plain.Uid()]))))["NodeNameToMetaVictims"]!.AsObject());
        var nominated = new { status = new { nominatedNodeName = "n1" } };
        await scene.Kubernetes.CoreV1.PatchNamespacedPodStatusAsync(new V1Patch(nominated, V1Patch.PatchType.MergePatch), "important", "default");
        await ControlPlaneScene.UntilAsync(async () => !await FitsAsync(scene, "small"), () => $"nothing is kept:\n{scene.Log}");

        // Too early: the victim is still there. What is kept stays so.
        Assert.False(await FitsAsync(scene, "important"));
        await scene.DeletePodAsync("lesser");
        await ControlPlaneScene.UntilAsync(async () => (await scene.HeldByLedgerAsync()).Count == 0, () => $"lesser holds its card:\n{scene.Log}");

        Assert.False(await FitsAsync(scene, "thief"));
        // Also when it asks twice: its own reservation is none in its way.
        Assert.True(await FitsAsync(scene, "important"));
        Assert.True(await FitsAsync(scene, "important"));
        Assert.Equal("", (await scene.BindAsync(important, "n1"))["Error"]!.GetValue<string>());
        Assert.True(await FitsAsync(scene, "small"));
        Assert.Equal(8000, (await scene.HeldByLedgerAsync())["GPU-n1-0"]);
    }

    [Fact]
    public async Task Pods_that_never_preempt_pods_without_cards_and_bad_questions_are_answered_plainly()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, cards: 1);
        await ClassesAsync(scene);
        await PlacedAsync(scene, "lesser", "n1", "low", 9000);
        await scene.CreatePodAsync("meek", memoryMiB: 8000, also: Class("meek"));
        await scene.CreatePodAsync("cardless", gpu: 0);
        await SeenAsync(scene);

        Assert.Empty((await scene.PostAsync("preempt", await ArgumentsAsync(scene, "meek", ("n1", ["x"]))))["NodeNameToMetaVictims"]!.AsObject());
        Assert.Equal(["x", "y"], Uids((await scene.PostAsync("preempt", await ArgumentsAsync(scene, "cardless", ("n1", ["x", "y"]))))["NodeNameToMetaVictims"]!["n1"]!));

        Assert.Equal((400, "extender args missing pod"), await scene.PostRawAsync("preempt", "{}"));
        Assert.Equal((400, "extender args missing pod"), await scene.PostRawAsync("preempt", "null"));
        var (status, body) = await scene.PostRawAsync("preempt", """{"Pod":{"metadata":{"uid":"u"}}}""");
        Assert.Equal((400, "extender args name no victims: NodeNameToMetaVictims and NodeNameToVictims are both missing"), (status, body));
        (status, body) = await scene.PostRawAsync("preempt", """{"Pod":""");
        Assert.Equal(400, status);
        Assert.StartsWith("the request body is not the JSON expected here", body, StringComparison.Ordinal);
    }

    private static async Task<bool> FitsAsync(ControlPlaneScene scene, string pod) => (await scene.FilterAsync(pod, "n1"))["NodeNames"] is JsonArray { Count: 1 };

    private static List<string> Uids(JsonNode victims) => [.. victims["Pods"]!.AsArray().Select(p => p!["UID"]!.GetValue<string>())];

    private static Action<V1Pod> Class(string name) => pod => pod.Spec.PriorityClassName = name;

    private static async Task ClassesAsync(ControlPlaneScene scene)
    {
        foreach (var (name, value, policy) in new[] { ("low", 10, "PreemptLowerPriority"), ("high", 1000, "PreemptLowerPriority"), ("meek", 1000, "Never") })
            await scene.Kubernetes.SchedulingV1.CreatePriorityClassAsync(new() { Metadata = new() { Name = name }, Value = value, PreemptionPolicy = policy });
    }

    private static async Task PlacedAsync(ControlPlaneScene scene, string name, string node, string priority, long memoryMiB)
    {
        var pod = await scene.CreatePodAsync(name, memoryMiB: memoryMiB, also: Class(priority));
        await scene.FilterAsync(name, node);
        Assert.Equal("", (await scene.BindAsync(pod, node))["Error"]!.GetValue<string>());
    }

    private static async Task<V1Pod> PlainAsync(ControlPlaneScene scene, string name, string node)
    {
        var pod = await scene.CreatePodAsync(name, gpu: 0, memoryMiB: 0, also: p => p.Spec.PriorityClassName = "low");
        Assert.Equal("", (await scene.BindAsync(pod, node))["Error"]!.GetValue<string>());
        return pod;
    }

    // The control plane learns priorities and nodes of pods from its watch.
    private static Task SeenAsync(ControlPlaneScene scene) => ControlPlaneScene.UntilAsync(
        async () => (await scene.ColumnAsync("select type from hami.mt_events where type = 'allocation_bound'")).Count
            == (await scene.ColumnAsync("select type from hami.mt_events where type = 'allocation_placed'")).Count,
        () => $"not all is seen as bound:\n{scene.Log}");

    private static Task<List<string>> PlansAsync(ControlPlaneScene scene) =>
        scene.ColumnAsync("select data::text from hami.mt_events where type = 'preemption_planned' order by seq_id");

    private static async Task<JsonObject> ArgumentsAsync(ControlPlaneScene scene, string pod, params (string Node, string[] Uids)[] nodes) => new()
    {
        ["Pod"] = (await scene.FilterArgumentsAsync(pod))["Pod"]!.DeepClone(),
        ["NodeNameToVictims"] = null,
        ["NodeNameToMetaVictims"] = new JsonObject(nodes.Select(n => KeyValuePair.Create<string, JsonNode?>(n.Node, new JsonObject
        {
            ["Pods"] = new JsonArray([.. n.Uids.Select(uid => new JsonObject { ["UID"] = uid })]),
            ["NumPDBViolations"] = 1,
        }))),
    };
}
