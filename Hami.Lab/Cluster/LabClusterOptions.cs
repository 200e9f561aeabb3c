namespace Hami.Lab.Cluster;

/// <summary>What a lab is made of.</summary>
public sealed record LabClusterOptions
{
    /// <summary>Everything the lab keeps: PostgreSQL's data, the API server's store, logs, addresses. Started again on it, the lab continues.</summary>
    public required string Directory { get; init; }

    /// <summary>Where the folders of the nodes are, if not there.</summary>
    public string? NodesDirectory { get; init; }

    /// <summary>Whether the control plane's process is started again when it dies, as a Deployment would; tests that kill it say false.</summary>
    public bool RestartsApi { get; init; } = true;

    /// <summary>Whether PostgreSQL's commits are on disk before they are answered.</summary>
    public bool Durable { get; init; } = true;

    public IReadOnlyList<LabNode> Nodes { get; init; } = LabNode.Three;

    /// <summary>Nodes beside them that are hollow: cards, annotations and pods' phases, but no agent and no process behind.</summary>
    public IReadOnlyList<LabNode> HollowNodes { get; init; } = [];

    /// <summary>What the scheduler asks the control plane.</summary>
    public ExtenderVerbs Extender { get; init; } = new();

    /// <summary>Whether containers run without processes: see <see cref="Kubelet.LabKubeletOptions.PretendsContainers"/>.</summary>
    public bool PretendsContainers { get; init; }

    /// <summary>A program that serves the agents of all nodes, started with a file to read by <see cref="AgentOnNode.Read"/>; null for a process for each.</summary>
    public IReadOnlyList<string>? AgentsProgram { get; init; }

    /// <summary>The cluster to stand on instead of our stand-ins; null for these.</summary>
    public ExistingCluster? Existing { get; init; }

    /// <summary>Ports wanted again, as kubectl and browsers know them from last time; taken ones are replaced.</summary>
    public LabPorts Ports { get; init; } = LabPorts.Any;

    /// <summary>Told what is being waited for.</summary>
    public Action<string> Progress { get; init; } = _ => { };

    public TimeProvider Time { get; init; } = TimeProvider.System;
}

/// <summary>Where a lab listens on loopback; 0 for "any".</summary>
/// <param name="ApiServer">The stand-in for kube-apiserver.</param>
/// <param name="Http">The control plane: GraphQL.</param>
/// <param name="Https">The control plane: the webhook.</param>
/// <param name="Extender">The control plane: the extender, for clients with a certificate.</param>
/// <param name="Metrics">The control plane: metrics.</param>
public sealed record LabPorts(int ApiServer, int Http, int Https, int Extender, int Metrics)
{
    public static LabPorts Any { get; } = new(0, 0, 0, 0, 0);

    /// <summary>The same ports where they are free, others where not.</summary>
    internal LabPorts Chosen() => new(
        Loopback.FreePort(ApiServer), Loopback.FreePort(Http), Loopback.FreePort(Https), Loopback.FreePort(Extender), Loopback.FreePort(Metrics));
}
