using Hami.Domain.Protocol;
using Hami.Lab.ApiServer;
using Hami.NodeAgent.Plumbing.Cluster;
using k8s;
using k8s.Models;
using static Hami.Tests.Allocating.AgentOnANode;
using static Hami.Tests.Allocating.NodePods;

namespace Hami.Tests.Allocating;

/// <summary>The agent on the lab's API server: real bindings, preconditions, watches and field selectors.</summary>
public sealed class AllocatingWithTheLabsApiServer
{
    private const string A = "GPU-a,NVIDIA,3000,50:";

    [Fact]
    public async Task A_pod_is_bound_served_marked_and_cleaned_up()
    {
        await using var lab = await LabApiServer.StartAsync(new(), TestContext.Current.CancellationToken);
        var (kubernetes, api) = await Open(lab);
        using var access = kubernetes;
        await using var node = await Start(api: api);
        await EventuallyAsync(async () => (await kubernetes.CoreV1.ReadNodeAsync("node-1")).GetAnnotation(HamiKeys.NodeRegister) is not null);

        var pod = await Bind(kubernetes, "p", $"{A};");
        Assert.Equal("GPU-a", (await node.Kubelet.Admit(pod))["c0"].Envs["NVIDIA_VISIBLE_DEVICES"]);
        await node.Kubelet.PreStart(pod, "c0");

        pod = await kubernetes.CoreV1.ReadNamespacedPodAsync("p", "default");
        Assert.Equal(BindPhases.Success, pod.GetAnnotation(HamiKeys.BindPhase));
        Assert.Equal(";", pod.GetAnnotation(HamiKeys.DevicesToAllocate));
        var directory = Path.Combine(node.Containers, $"{pod.Uid()}_c0");
        Assert.True(Directory.Exists(directory));

        await kubernetes.CoreV1.DeleteNamespacedPodAsync("p", "default", gracePeriodSeconds: 0);
        await Eventually(() => !Directory.Exists(directory));
    }

    [Fact]
    public async Task A_watch_that_is_too_old_is_begun_anew_and_misses_nothing()
    {
        await using var lab = await LabApiServer.StartAsync(new(), TestContext.Current.CancellationToken);
        var (kubernetes, api) = await Open(lab);
        using var access = kubernetes;
        await using var node = await Start(api: api);

        lab.Compact();
        foreach (var name in new[] { "p1", "p2" })
            Assert.Single(await node.Kubelet.Admit(await Bind(kubernetes, name, $"{A};")));

        await EventuallyAsync(async () => (await kubernetes.CoreV1.ListPodForAllNamespacesAsync()).Items
            .All(p => p.GetAnnotation(HamiKeys.BindPhase) == BindPhases.Success));
    }

    private static async Task<(IKubernetes, ApiServerClient)> Open(LabApiServer lab)
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("hami").FullName, "kubeconfig");
        await File.WriteAllTextAsync(file, lab.Kubeconfig);
        var api = ClusterAccess.Open(file);
        var kubernetes = new Kubernetes(KubernetesClientConfiguration.BuildConfigFromConfigFile(file));
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
        await kubernetes.CoreV1.CreateNodeAsync(new() { Metadata = new() { Name = "node-1" } });
        return (kubernetes, api);
    }

    // One Binding carries the node and the allocation, as the scheduler sends it.
    private static async Task<V1Pod> Bind(IKubernetes kubernetes, string name, string list)
    {
        var pod = Pod(name, list, [1]);
        var annotations = pod.Metadata.Annotations;
        await kubernetes.CoreV1.CreateNamespacedPodAsync(
            new() { Metadata = new() { Name = name }, Spec = new() { Containers = pod.Spec.Containers } }, "default");
        await kubernetes.CoreV1.CreateNamespacedPodBindingAsync(new V1Binding
        {
            Metadata = new() { Name = name, Annotations = annotations },
            Target = new() { Kind = "Node", Name = "node-1" },
        }, name, "default");
        return await kubernetes.CoreV1.ReadNamespacedPodAsync(name, "default");
    }

    private static async Task EventuallyAsync(Func<Task<bool>> holds)
    {
        for (var n = 0; !await holds(); n++)
        {
            Assert.True(n < 500, "This did not come true in time.");
            await Task.Delay(20);
        }
    }
}
