using System.Text.Json.Nodes;
using Hami.Domain.Protocol;
using Hami.Lab.ApiServer;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Binding;

/// <summary>The test plays kube-scheduler against the real control plane.</summary>
public sealed class BindingThroughTheApi
{
    [Fact]
    [Trait("Scoreboard", "H02")]
    public async Task A_pod_gets_its_node_and_its_devices_in_one_write_after_the_log_has_them()
    {
        await using var scene = await ControlPlaneScene.StartAsync();
        var pod = await scene.CreatePodAsync("p1", memoryMiB: 3000);

        Assert.Equal("n1", Chosen(await scene.FilterAsync("p1", "n2", "n1")));
        var held = scene.Server.Faults.HoldNextBinding("default", "p1");
        var binding = scene.BindAsync(pod, "n1");
        await held.Arrived;
        Assert.Equal(["allocation_placed"], await scene.ColumnAsync("select type from hami.mt_events where stream_id like 'node/%' and type <> 'devices_registered'"));
        held.Release();
        Assert.Equal("", Error(await binding));

        var bound = (await scene.FindPodAsync("p1"))!;
        Assert.Equal("n1", bound.Spec.NodeName);
        Assert.Equal("GPU-n1-1,NVIDIA,3000,0:;", bound.GetAnnotation(HamiKeys.DevicesAllocated));
        Assert.Equal(BindPhases.Allocating, bound.GetAnnotation(HamiKeys.BindPhase));
        Assert.Equal("n1", bound.GetLabel(HamiKeys.PodNode));
        await scene.AssertBooksAgreeAsync();
    }

    [Fact]
    public async Task A_pod_that_names_our_resources_but_asks_none_is_bound_without_an_allocation()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1);
        var pod = await scene.CreatePodAsync("p1", gpu: 0, memoryMiB: 0);

        Assert.Equal("n1", Chosen(await scene.FilterAsync("p1", "n1")));
        Assert.Equal("", Error(await scene.BindAsync(pod, "n1")));

        Assert.Equal("n1", (await scene.FindPodAsync("p1"))!.Spec.NodeName);
        Assert.Empty(await scene.ColumnAsync("select type from hami.mt_events where type = 'allocation_placed'"));
        Assert.NotEqual("", Error(await scene.BindAsync(pod, "n1")));
    }

    [Fact]
    public async Task Of_two_pods_at_once_for_the_last_slot_one_gets_it_and_the_other_a_reason()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, cards: 1, slots: 1);
        var pods = await Task.WhenAll(scene.CreatePodAsync("p1"), scene.CreatePodAsync("p2"));

        var filters = await Task.WhenAll(scene.FilterAsync("p1", "n1"), scene.FilterAsync("p2", "n1"));
        var binds = await Task.WhenAll(pods.Select(p => scene.BindAsync(p, "n1")));

        Assert.Single(filters, f => f["NodeNames"] is JsonArray);
        Assert.StartsWith(
            "1/1 CardTimeSlicingExhausted", filters.Single(f => f["NodeNames"] is null)["FailedNodes"]!["n1"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Single(binds, b => Error(b).Length == 0);
        Assert.Contains("CardTimeSlicingExhausted", Error(binds.Single(b => Error(b).Length > 0)), StringComparison.Ordinal);
        await scene.AssertBooksAgreeAsync();
    }

    [Fact]
    public async Task A_reply_that_was_lost_is_found_again_and_nothing_is_taken_twice()
    {
        await using var scene = await ControlPlaneScene.StartAsync();
        var pod = await scene.CreatePodAsync("p1");
        var (held, first) = await BindAndHoldAsync(scene, pod);

        held.Release(LabFault.DropReply);
        await first;
        var again = await scene.BindAsync(pod, "n1");

        Assert.Equal("", Error(again));
        Assert.Single(await scene.ColumnAsync("select type from hami.mt_events where type = 'allocation_placed'"));
        await scene.AssertBooksAgreeAsync();
    }

    [Fact]
    public async Task A_bind_held_by_the_network_beyond_a_restart_does_not_take_what_was_given_back()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 2, cards: 1, slots: 1);
        var pod = await scene.CreatePodAsync("p1");
        var (held, _) = await BindAndHoldAsync(scene, pod);

        await scene.KillApiAsync();
        await scene.StartApiAsync();
        Assert.Empty(await scene.HeldByLedgerAsync());
        var other = await scene.CreatePodAsync("p2");
        Assert.Equal("n1", Chosen(await scene.FilterAsync("p2", "n1")));
        Assert.Equal("", Error(await scene.BindAsync(other, "n1")));
        held.Release();
        await held.Finished;

        Assert.Null((await scene.FindPodAsync("p1"))!.Spec.NodeName);
        await scene.AssertBooksAgreeAsync();
    }

    [Fact]
    public async Task A_bind_that_arrived_before_the_restart_keeps_what_it_holds()
    {
        await using var scene = await ControlPlaneScene.StartAsync();
        var pod = await scene.CreatePodAsync("p1");
        var (held, _) = await BindAndHoldAsync(scene, pod);
        await scene.KillApiAsync();
        held.Release();
        await held.Finished;

        await scene.StartApiAsync();

        Assert.Equal("n1", (await scene.FindPodAsync("p1"))!.Spec.NodeName);
        Assert.Single(await scene.HeldByLedgerAsync());
        await scene.AssertBooksAgreeAsync();
    }

    [Fact]
    public async Task A_bind_that_timed_out_is_settled_before_it_is_tried_on_another_node()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 2, cards: 1, slots: 1);
        var pod = await scene.CreatePodAsync("p1");
        var (held, first) = await BindAndHoldAsync(scene, pod);

        Assert.NotEqual("", Error((await first)!));
        Assert.Equal("n2", Chosen(await scene.FilterAsync("p1", "n2")));
        Assert.Equal("", Error(await scene.BindAsync(pod, "n2")));
        held.Release();
        await held.Finished;

        Assert.Equal("n2", (await scene.FindPodAsync("p1"))!.Spec.NodeName);
        Assert.Equal(["GPU-n2-0"], (await scene.HeldByLedgerAsync()).Keys);
        await scene.AssertBooksAgreeAsync();
    }

    [Fact]
    public async Task A_pod_that_was_made_anew_under_its_name_inherits_nothing_from_an_unfinished_bind()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, cards: 1, slots: 1);
        var pod = await scene.CreatePodAsync("p1");
        var (held, _) = await BindAndHoldAsync(scene, pod);
        await scene.KillApiAsync();
        await scene.DeletePodAsync("p1");
        var anew = await scene.CreatePodAsync("p1");

        await scene.StartApiAsync();
        held.Release();
        await held.Finished;

        Assert.Null((await scene.FindPodAsync("p1"))!.Spec.NodeName);
        Assert.Equal("n1", Chosen(await scene.FilterAsync("p1", "n1")));
        Assert.Equal("", Error(await scene.BindAsync(anew, "n1")));
        await scene.AssertBooksAgreeAsync();
    }

    [Fact]
    [Trait("Scoreboard", "H15")]
    [Trait("Scoreboard", "G06")]
    public async Task A_pod_that_ends_gives_back_what_it_held_and_wakes_the_one_that_waits_for_it()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, cards: 1, slots: 1);
        var pod = await scene.CreatePodAsync("p1");
        await scene.FilterAsync("p1", "n1");
        await scene.BindAsync(pod, "n1");
        await scene.CreatePodAsync("p2");
        await scene.FilterAsync("p2", "n1");
        await ControlPlaneScene.UntilAsync(
            async () => (await scene.QueryAsync("{ pendingPods { items { pod message } } }"))["pendingPods"]!["items"]!.AsArray().Count == 1, () => "p2 is not known to wait");

        await scene.DeletePodAsync("p1");

        await ControlPlaneScene.UntilAsync(
            async () => (await scene.FindPodAsync("p2"))!.GetAnnotation(HamiKeys.Wake) is not null, () => $"p2 was not woken:\n{scene.Log}");
        Assert.Equal("n1", Chosen(await scene.FilterAsync("p2", "n1")));
        await scene.DeletePodAsync("p2");
        await ControlPlaneScene.UntilAsync(
            async () => (await scene.QueryAsync("{ pendingPods { items { pod } } }"))["pendingPods"]!["items"]!.AsArray().Count == 0, () => "p2 still waits");
        await scene.AssertBooksAgreeAsync();
    }

    [Fact]
    public async Task A_release_says_whether_the_pod_ended_or_was_ended()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1);
        (string Pod, bool IsDeleted, string Phase, string Reason)[] ends = [("p1", false, "Succeeded", "Completed"), ("p2", false, "Failed", "Failed"), ("p3", true, "Failed", "Deleted")];
        foreach (var (name, isDeleted, phase, reason) in ends)
        {
            var pod = await scene.CreatePodAsync(name);
            await scene.FilterAsync(name, "n1");
            await scene.BindAsync(pod, "n1");
            if (isDeleted)
                await scene.Kubernetes.CoreV1.DeleteNamespacedPodAsync(name, "default", gracePeriodSeconds: 30);
            await scene.Kubernetes.CoreV1.PatchNamespacedPodStatusAsync(
                new V1Patch(new { status = new { phase } }, V1Patch.PatchType.MergePatch), name, "default");
        }
        await ControlPlaneScene.UntilAsync(
            async () => (await scene.ColumnAsync(
                """
                select placed.data->>'pod' || ' ' || (released.data->>'reason') from hami.mt_events placed join hami.mt_events released using (stream_id)
                where placed.type = 'allocation_placed' and released.type = 'allocation_released' and placed.data->>'allocationId' = released.data->>'allocationId' order by 1
                """)).SequenceEqual(ends.Select(e => $"{e.Pod} {e.Reason}"), StringComparer.Ordinal),
            () => $"not released as they ended:\n{scene.Log}");
    }

    [Fact]
    public async Task A_refusal_that_comes_after_the_pod_was_deleted_does_not_outlive_it()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, cards: 1, slots: 1);
        await scene.CreatePodAsync("p1", gpu: 2);
        var asked = await scene.FilterArgumentsAsync("p1", "n1");
        await scene.DeletePodAsync("p1");
        await ControlPlaneScene.UntilAsync(async () => await scene.FindPodAsync("p1") is null, () => "p1 is still there");

        await scene.PostAsync("filter", asked);

        await ControlPlaneScene.UntilAsync(
            async () => (await scene.ColumnAsync("select type from hami.mt_events where stream_id like 'pod/%' order by seq_id")).SequenceEqual(
                ["placement_refused", "workload_withdrawn"]),
            () => $"the refusal is not withdrawn:\n{scene.Log}");
        Assert.Empty((await scene.QueryAsync("{ pendingPods { items { pod } } }"))["pendingPods"]!["items"]!.AsArray());
    }

    [Fact]
    public async Task The_history_tells_every_step_of_an_allocation()
    {
        await using var scene = await ControlPlaneScene.StartAsync();
        var pod = await scene.CreatePodAsync("p1", gpu: 2, memoryMiB: 2000);
        await scene.FilterAsync("p1", "n1", "n2");
        await scene.BindAsync(pod, "n1");
        await scene.Kubernetes.CoreV1.PatchNamespacedPodAsync(
            new V1Patch(new { metadata = new { annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [HamiKeys.BindPhase] = BindPhases.Success } } }, V1Patch.PatchType.MergePatch), "p1", "default");
        await ControlPlaneScene.UntilAsync(
            async () => (await scene.ColumnAsync("select type from hami.mt_events where type = 'allocation_attached'")).Count == 1, () => "not attached");
        await scene.DeletePodAsync("p1");

        JsonNode? told = null;
        await ControlPlaneScene.UntilAsync(
            async () =>
            {
                var data = await scene.QueryAsync(
                    """{ allocations(filter: { pod: "p1", live: false }) { items { node shares { container deviceUuid memoryMiB } because { candidates runnersUp { node } } placedAt boundAt attachedAt releasedAt releaseReason } } }""");
                told = data["allocations"]!["items"]!.AsArray().SingleOrDefault();
                return told is not null;
            },
            () => $"the history does not tell of the release:\n{scene.Log}");
        string[] steps = ["placedAt", "boundAt", "attachedAt", "releasedAt"];
        var times = steps.Select(step => told![step]!.GetValue<DateTimeOffset>()).ToList();
        Assert.Equal(times.Order(), times);
        Assert.Equal("DELETED", told!["releaseReason"]!.GetValue<string>());
        Assert.Equal(2, told["shares"]!.AsArray().Count);
        Assert.Equal("n2", told["because"]!["runnersUp"]![0]!["node"]!.GetValue<string>());
    }

    private static string Chosen(JsonObject filtered) => Assert.Single(filtered["NodeNames"]?.AsArray() ?? [])!.GetValue<string>();

    private static string Error(JsonObject result) => result["Error"]!.GetValue<string>();

    /// <summary>Filters and binds a pod on n1; its Binding is stopped on its way into the API server.</summary>
    private static async Task<(HeldRequest Held, Task<JsonObject?> Bind)> BindAndHoldAsync(ControlPlaneScene scene, V1Pod pod)
    {
        await scene.FilterAsync(pod.Name(), "n1");
        var held = scene.Server.Faults.HoldNextBinding("default", pod.Name());
        var bind = UnlessKilled(scene.BindAsync(pod, "n1"));
        await held.Arrived;
        return (held, bind);
    }

    /// <summary>The answer; null when the process that was to give it has been killed.</summary>
    private static async Task<JsonObject?> UnlessKilled(Task<JsonObject> call)
    {
        try
        {
            return await call;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }
}
