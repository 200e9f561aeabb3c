using Hami.Lab.ApiServer;
using Hami.Lab.Scheduler;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Binding;

/// <summary>The control plane is killed at any moment while pods come and go; nothing is given twice, lost or leaked.</summary>
public sealed class SurvivingCrashes
{
    [Theory]
    [InlineData(1)]
    public Task A_few_kills_at_random_moments_of_ten_applies_and_deletes(int seed) => Storm(seed, rounds: 2);

    [Theory]
    [Trait("Category", "Long")]
    [InlineData(2)]
    [InlineData(101)]
    [InlineData(102)]
    [InlineData(103)]
    public Task Many_kills_at_random_moments_of_ten_applies_and_deletes(int seed) => Storm(seed, rounds: 15);

    private static async Task Storm(int seed, int rounds)
    {
        var chance = new Random(seed);
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 3, cards: 2, memoryMiB: 8000, slots: 2);
        await using var scheduler = await LabScheduler.StartAsync(
            new() { Kubernetes = scene.Kubernetes, Extenders = [new() { Url = scene.Extender, HttpTimeout = TimeSpan.FromSeconds(15) }] }, CancellationToken.None);

        scene.Server.Faults.BeforeApply = BadNetwork(new Random(seed + 1));
        for (var round = 0; round < rounds; round++)
        {
            var kill = KillAfterAsync(scene, TimeSpan.FromMilliseconds(chance.Next(0, 1500)));
            for (var i = 0; i < 10; i++)
            {
                await scene.CreatePodAsync($"r{round}-p{i}", gpu: chance.Next(1, 3), memoryMiB: chance.Next(1, 5) * 1000);
                await Task.Delay(chance.Next(0, 150));
                if (chance.Next(2) == 0)
                    await DeleteAnyAsync(scene, chance);
            }
            await kill;
            await scene.StartApiAsync();
        }

        // Quiet again: what fits is bound, what does not waits, and the books agree.
        scene.Server.Faults.BeforeApply = null;
        await scene.AssertLogHoldsAsync();
        await scene.AssertBooksAgreeAsync();
        foreach (var pod in (await scene.Kubernetes.CoreV1.ListNamespacedPodAsync("default")).Items)
            await scene.DeletePodAsync(pod.Name());
        await ControlPlaneScene.UntilAsync(
            async () => (await scene.HeldByLedgerAsync()).Count == 0, () => $"seed {seed}: shares leaked:\n{scene.Log}");
        await scene.AssertBooksAgreeAsync();
        // A bind that was on its way when its pod was deleted may still come and be taken back.
        await ControlPlaneScene.UntilAsync(
            async () => (await AllocationsAsync(scene, "allocation_placed")).SequenceEqual(await AllocationsAsync(scene, "allocation_released"), StringComparer.Ordinal),
            () => $"seed {seed}: not all that was placed was released:\n{scene.Log}");
    }

    private static Task<List<string>> AllocationsAsync(ControlPlaneScene scene, string type) =>
        scene.ColumnAsync($"select data->>'allocationId' from hami.mt_events where type = '{type}' order by 1");

    /// <summary>Of the control plane's writes some come late, some lose their answer and some never arrive.</summary>
    private static Func<LabRequest, Task<LabFault>> BadNetwork(Random chance)
    {
        var turn = new Lock();
        return async request =>
        {
            if (!request.Path.EndsWith("/binding", StringComparison.Ordinal) && request.Body.Span.IndexOf("hami.io/bind-settled"u8) < 0)
                return LabFault.None;
            int fate, late;
            lock (turn)
                (fate, late) = (chance.Next(10), chance.Next(2) == 0 ? 0 : chance.Next(3000));
            await Task.Delay(late);
            return fate switch { 0 => LabFault.DropReply, 1 => LabFault.DropRequest, _ => LabFault.None };
        };
    }

    private static async Task KillAfterAsync(ControlPlaneScene scene, TimeSpan delay)
    {
        await Task.Delay(delay);
        await scene.KillApiAsync();
    }

    private static async Task DeleteAnyAsync(ControlPlaneScene scene, Random chance)
    {
        var pods = (await scene.Kubernetes.CoreV1.ListNamespacedPodAsync("default")).Items;
        if (pods.Count > 0)
            await scene.DeletePodAsync(pods[chance.Next(pods.Count)].Name());
    }
}
