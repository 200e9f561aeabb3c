using System.Text.Json.Nodes;
using Hami.Domain.Protocol;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Binding;

/// <summary>Several processes of the control plane over one database.</summary>
public sealed class SharingTheWork
{
    private const int MostTries = 60;

    [Fact]
    [Trait("Scoreboard", "H06")]
    [Trait("Scoreboard", "H09")]
    public async Task Any_process_binds_what_another_has_filtered()
    {
        await using var one = await ControlPlaneScene.StartAsync();
        await using var other = await one.StartReplicaAsync();
        var pod = await one.CreatePodAsync("p1", memoryMiB: 3000);

        Assert.IsType<JsonArray>((await one.FilterAsync("p1", "n1", "n2"))["NodeNames"]);
        Assert.Equal("", Error(await other.BindAsync(pod, "n2")));

        Assert.Equal("n2", (await one.FindPodAsync("p1"))!.Spec.NodeName);
        await one.AssertBooksAgreeAsync();
        await other.AssertBooksAgreeAsync();
    }

    [Fact]
    public async Task A_bind_that_another_process_took_for_dead_is_not_sent_again()
    {
        await using var one = await ControlPlaneScene.StartAsync(nodes: 1);
        var pod = await one.CreatePodAsync("p1", memoryMiB: 3000);
        await one.FilterAsync("p1", "n1");
        var held = one.Server.Faults.HoldNextBinding("default", "p1");
        var binding = one.BindAsync(pod, "n1");
        await held.Arrived;

        // As a process does that starts now, finds the allocation placed and no Binding, and settles that.
        var allocation = Assert.Single(await one.ColumnAsync("select data->>'allocationId' from hami.mt_events where type = 'allocation_placed'"));
        var mark = new { metadata = new { annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [HamiKeys.BindSettled] = $"{allocation} now" } } };
        await one.Kubernetes.CoreV1.PatchNamespacedPodAsync(new V1Patch(mark, V1Patch.PatchType.MergePatch), "p1", "default");
        held.Release();

        Assert.Contains("gave up this bind", Error(await binding), StringComparison.Ordinal);
        Assert.Null((await one.FindPodAsync("p1"))!.Spec.NodeName);
        Assert.Single(await one.ColumnAsync("select type from hami.mt_events where type = 'allocation_released'"));
        await one.FilterAsync("p1", "n1");
        Assert.Equal("", Error(await one.BindAsync(pod, "n1")));
        await one.AssertBooksAgreeAsync();
    }

    [Fact]
    [Trait("Scoreboard", "H06")]
    public async Task Three_processes_fill_four_nodes_exactly_and_explain_the_rest()
    {
        await using var one = await ControlPlaneScene.StartAsync(nodes: 4, cards: 2, memoryMiB: 10000);
        await using var two = await one.StartReplicaAsync();
        await using var three = await one.StartReplicaAsync();
        ControlPlaneScene[] processes = [one, two, three];
        var pods = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => one.CreatePodAsync($"p{i}", memoryMiB: 2000)));

        var ends = await Task.WhenAll(pods.Select((pod, i) => ScheduleAsync(pod, new Random(i), processes)));

        Assert.Equal(40, ends.Count(e => e is null));
        Assert.All(ends.Where(e => e is not null), why => Assert.Contains("CardInsufficientMemory", why, StringComparison.Ordinal));
        foreach (var process in processes)
            await process.AssertBooksAgreeAsync();
        await one.AssertLogHoldsAsync();
        Assert.Equal(["40"], await one.ColumnAsync("select count(distinct data->>'allocationId')::text from hami.mt_events where type = 'allocation_bound'"));
    }

    /// <summary>As kube-scheduler does, each time asking any of the processes.</summary>
    /// <returns>Why no node takes it; null once it is bound.</returns>
    private static async Task<string?> ScheduleAsync(V1Pod pod, Random chance, ControlPlaneScene[] processes)
    {
        var refusedInARow = 0;
        for (var tries = 0; tries < MostTries; tries++)
        {
            var filtered = await processes[chance.Next(3)].FilterAsync(pod.Name(), "n1", "n2", "n3", "n4");
            if ((filtered["NodeNames"] as JsonArray) is not [var node])
            {
                // What others have only reserved may be given back.
                if (++refusedInARow == 8)
                    return filtered["FailedNodes"]!.ToJsonString();
                await Task.Delay(chance.Next(100, 400));
                continue;
            }
            refusedInARow = 0;
            if (Error(await processes[chance.Next(3)].BindAsync(pod, node!.GetValue<string>())).Length == 0)
                return null;
        }
        return $"not bound in {MostTries} tries";
    }

    private static string Error(JsonObject answer) => answer["Error"]!.GetValue<string>();
}
