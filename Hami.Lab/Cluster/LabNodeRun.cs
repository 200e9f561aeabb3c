using Hami.Lab.Kubelet;

namespace Hami.Lab.Cluster;

/// <summary>A node at work: the stand-in for its kubelet, in our process, and its agent, in one of its own.</summary>
internal sealed class LabNodeRun : IAsyncDisposable
{
    private LabNodeRun(LabNode node, LabKubelet kubelet, SupervisedProcess agent)
    {
        Node = node;
        Kubelet = kubelet;
        Agent = agent;
    }

    public LabNode Node { get; }

    public LabKubelet Kubelet { get; }

    public SupervisedProcess Agent { get; }

    public static async Task<LabNodeRun> StartAsync(
        LabNode node, LabPaths paths, LabGround ground, ILoggerFactory logging, TimeProvider time, CancellationToken ct)
    {
        var folder = new NodeFolder(node, Path.Combine(paths.Nodes, node.Folder));
        folder.Prepare();
        var kubelet = await LabKubelet.StartAsync(
            new LabKubeletOptions
            {
                Kubernetes = ground.Kubernetes,
                NodeName = node.Name,
                NodeLabels = ground.Labels,
                NodeTaints = ground.Taints,
                OnlyNamespace = ground.OnlyNamespace,
                Directory = folder.Kubelet,
                DriverDirectory = Path.Combine(BuiltPrograms.Interceptor, "driver"),
                DriverDevicesFile = folder.Driver,
                ProgramsDirectory = Path.Combine(BuiltPrograms.Interceptor, "bin"),
                // The agent is started after it, as a process of its own.
                PluginGrace = TimeSpan.FromSeconds(60),
                Time = time,
                Logging = logging,
            },
            ct);
        var program = $"hami-node-agent-{node.Folder}";
        var agent = new SupervisedProcess(
            () => ChildProcess.StartAsync(
                program,
                [
                    .. BuiltPrograms.NodeAgent, "serve",
                    "--node-name", node.Name,
                    "--kubeconfig", ground.Kubeconfig,
                    "--kubelet-dir", folder.Kubelet,
                    "--hook-path", folder.Hook,
                    "--lock-path", folder.Lock,
                    "--simulate", folder.Devices,
                ],
                paths.Log(program),
                environment: BuiltPrograms.Environment),
            restarts: true,
            time);
        try
        {
            await agent.StartAsync();
            return new LabNodeRun(node, kubelet, agent);
        }
        catch
        {
            await agent.DisposeAsync();
            await kubelet.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        // The agent last: a kubelet that ends its containers may still talk to it.
        await Kubelet.DisposeAsync();
        await Agent.DisposeAsync();
    }
}
