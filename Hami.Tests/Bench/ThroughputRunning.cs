using System.Diagnostics;
using System.Text.Json.Nodes;
using Hami.Lab.Cluster;

namespace Hami.Tests.Bench;

[Trait("Category", "Long")]
public sealed class ThroughputRunning
{
    [Fact]
    public async Task Pods_go_through_webhook_filter_bind_log_and_device_plugins_of_every_node()
    {
        string[] words = [.. BuiltPrograms.Command("Hami.Bench", "hami-bench"), "throughput", "--nodes", "3", "--devices", "2", "--pods", "24", "--json"];
        using var run = Process.Start(new ProcessStartInfo(words[0], words.Skip(1)) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        var errors = run.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await run.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await run.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(run.ExitCode == 0, await errors);

        var report = JsonNode.Parse(output)!.AsObject();

        Assert.Equal(24, (int)report["pods"]!);
        Assert.True((double)report["seconds"]! > 0 && (double)report["podsPerSecond"]! > 0 && (double)report["p99Ms"]! > 0, output);
        // Placed, bound, attached.
        Assert.Equal(3, (double)report["eventsPerPod"]!);
        Assert.Equal(("on", "on"), ((string)report["fsync"]!, (string)report["synchronousCommit"]!));
        // The pod, its Binding, the agent's bind-phase and the kubelet's two reports are the least.
        Assert.True((double)report["apiWritesPerPod"]! >= 5, output);
    }
}
