using Hami.Lab.Kubelet;

namespace Hami.Lab.Cluster;

/// <summary>A node at work: the stand-in for its kubelet, in our process, and its agent, in one of its own or with those of all nodes.</summary>
internal sealed class LabNodeRun : IAsyncDisposable
{
    private LabNodeRun(LabNode node, LabKubelet kubelet, AgentOnNode plan, NodeFolder folder, SupervisedProcess? agent)
    {
        Folder = folder;
        Node = node;
        Kubelet = kubelet;
        Plan = plan;
        Agent = agent;
    }

    public LabNode Node { get; }

    public LabKubelet Kubelet { get; }

    /// <summary>What its agent is started with.</summary>
    public AgentOnNode Plan { get; }

    /// <summary>Its files.</summary>
    public NodeFolder Folder { get; }

    /// <summary>Null where one process serves all agents.</summary>
    public SupervisedProcess? Agent { get; }

    public static async Task<LabNodeRun> StartAsync(
        LabNode node, LabPaths paths, LabGround ground, LabClusterOptions options, ApiOfAgents? api, ILoggerFactory logging, CancellationToken ct)
    {
        var time = options.Time;
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
                PretendsContainers = options.PretendsContainers,
                Time = time,
                Logging = logging,
            },
            ct);
        var plan = new AgentOnNode(node.Name, ground.Kubeconfig, folder.Kubelet, folder.Hook, folder.Devices, paths.SigningPublicKey)
        {
            DriverFile = folder.Driver,
            Sysfs = folder.Sysfs,
        };
        if (options.AgentsProgram is not null)
            return new LabNodeRun(node, kubelet, plan, folder, agent: null);
        plan = await TellingAsync(plan, api, Path.Combine(paths.Nodes, node.Folder, "api-token"), ground, ct);
        var program = $"hami-node-agent-{node.Folder}";
        var agent = new SupervisedProcess(
            () => ChildProcess.StartAsync(
                program,
                [.. BuiltPrograms.NodeAgent, "serve", .. plan.Words],
                paths.Log(program),
                environment: plan.Environment),
            restarts: true,
            time);
        try
        {
            await agent.StartAsync();
            return new LabNodeRun(node, kubelet, plan, folder, agent);
        }
        catch
        {
            await agent.DisposeAsync();
            await kubelet.DisposeAsync();
            throw;
        }
    }

    private static async Task<AgentOnNode> TellingAsync(AgentOnNode plan, ApiOfAgents? api, string tokenFile, LabGround ground, CancellationToken ct)
    {
        if (api is null)
            return plan;
        await AgentAccount.WriteAsync(tokenFile, ground.Kubernetes, plan.Node, ct);
        return plan with { Api = api, ApiTokenFile = tokenFile };
    }

    public async ValueTask DisposeAsync()
    {
        // The agent last: a kubelet that ends its containers may still talk to it.
        await Kubelet.DisposeAsync();
        if (Agent is not null)
            await Agent.DisposeAsync();
    }
}
