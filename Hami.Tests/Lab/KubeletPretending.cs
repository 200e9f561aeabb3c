using k8s;
using k8s.Models;

namespace Hami.Tests.Lab;

/// <summary>Containers without processes: what a benchmark of two hundred nodes runs.</summary>
public sealed class KubeletPretending
{
    [Fact]
    public async Task A_pretended_container_gets_its_devices_as_any_other_and_runs_until_its_pod_is_deleted()
    {
        await using var scene = await KubeletScene.Start(with: o => o with { PretendsContainers = true });

        await scene.Run("pod", KubeletScene.Container("c", 2, "no-such-program"));
        var pod = await scene.Until("pod", p => p.Status.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) == true);

        Assert.Equal("Running", pod.Status.Phase);
        Assert.Contains(scene.Plugin.Calls, call => call.StartsWith("Allocate", StringComparison.Ordinal));
        Assert.Contains(scene.Plugin.Calls, call => call.StartsWith("PreStartContainer", StringComparison.Ordinal));

        await scene.Kubernetes.CoreV1.DeleteNamespacedPodAsync("pod", "default");
        await scene.UntilGone("pod");
    }
}
