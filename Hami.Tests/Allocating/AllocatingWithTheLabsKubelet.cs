using Hami.Domain.Protocol;
using Hami.NodeAgent;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Registering;
using Hami.Tests.Given;
using Hami.Tests.Lab;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Hosting;
using static Hami.Tests.Lab.KubeletScene;

namespace Hami.Tests.Allocating;

/// <summary>The agent with the lab's kubelet and API server: containers run and tell what they were given.</summary>
public sealed class AllocatingWithTheLabsKubelet
{
    [Fact]
    public async Task Pods_bound_all_at_once_each_run_on_their_own_card()
    {
        await using var scene = await KubeletScene.Start(withPlugin: false);
        using var agent = await StartAgent(scene);

        for (var i = 0; i < 8; i++)
            await Bind(scene, $"p{i}", card: i % 2 == 0 ? "GPU-a" : "GPU-b", memoryMiB: 1000 + i, withInit: i % 3 == 0);

        for (var i = 0; i < 8; i++)
        {
            var pod = await scene.Until($"p{i}", p => p.Status.Phase is "Succeeded" or "Failed");
            Assert.Equal("Succeeded", pod.Status.Phase + pod.Status.Message);
            Assert.Equal(BindPhases.Success, pod.GetAnnotation(HamiKeys.BindPhase));
            using var log = new StreamReader(await scene.Kubernetes.CoreV1.ReadNamespacedPodLogAsync($"p{i}", "default", container: "c0"));
            Assert.Equal($"{(i % 2 == 0 ? "GPU-a" : "GPU-b")} {1000 + i}m", (await log.ReadToEndAsync()).Trim());
        }
        await agent.StopAsync();
    }

    private static async Task<IHost> StartAgent(KubeletScene scene)
    {
        var kubelet = Path.GetDirectoryName(scene.Kubelet.PluginsDirectory.TrimEnd('/'))!;
        var folder = Path.GetDirectoryName(kubelet)!;
        var options = new AgentOptions
        {
            NodeName = Node,
            DeviceFile = Path.Combine(folder, "cards.yaml"),
            KubeletDir = kubelet,
            HookPath = Path.Combine(folder, "h"),
        };
        await File.WriteAllTextAsync(options.DeviceFile, AgentOnANode.BothHealthy);
        // What the installer puts there; an empty preload file leaves the library out.
        Directory.CreateDirectory(options.VgpuDir);
        foreach (var file in new[] { "libvgpu.so", "ld.so.preload" })
            await File.WriteAllTextAsync(Path.Combine(options.VgpuDir, file), "");

        var agent = AgentHost.Build(options, DeviceFile.Read(options.DeviceFile), scene.Kubernetes.ForAgent(), _ => { });
        await agent.StartAsync();
        await Eventually(async () => await scene.Healthy() == "20");
        return agent;
    }

    private static async Task Bind(KubeletScene scene, string name, string card, int memoryMiB, bool withInit)
    {
        await scene.Kubernetes.CoreV1.CreateNamespacedPodAsync(new()
        {
            Metadata = new() { Name = name },
            Spec = new()
            {
                RestartPolicy = "Never",
                InitContainers = withInit ? [Container("i", 1, "true")] : null,
                Containers =
                [
                    Container("c0", 1, "sh", "-c", "echo $NVIDIA_VISIBLE_DEVICES $CUDA_DEVICE_MEMORY_LIMIT_0"),
                    Container("c1", 0, "true"),
                ],
            },
        }, "default");
        var list = $"{(withInit ? $"{card},NVIDIA,100,10:;" : "")}{card},NVIDIA,{memoryMiB},50:;;";
        await scene.Kubernetes.CoreV1.CreateNamespacedPodBindingAsync(new V1Binding
        {
            Metadata = new() { Name = name, Annotations = NodePods.Pod(name, list, [1]).Metadata.Annotations },
            Target = new() { Kind = "Node", Name = Node },
        }, name, "default");
    }
}
