using System.Globalization;
using System.Text.Json.Nodes;
using Hami.Lab.ApiServer;
using Hami.Lab.Hollow;
using Hami.Lab.Kubelet;
using Hami.Lab.Scheduler;
using k8s;
using k8s.Models;

namespace Hami.Lab.Cluster;

/// <summary>A whole cluster on this machine, in one directory: started, supervised and stopped as one thing.</summary>
public sealed class LabCluster : IAsyncDisposable
{
    // Hollow nodes are ready when they have started; there may be thousands.
    private const string NotHollow = "hami.io/lab-node!=hollow";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(180);
    private readonly LabClusterOptions _options;
    private readonly LabPaths _paths;
    private readonly ILoggerFactory _logging;

    // What was started, to be stopped in the opposite order.
    private readonly Stack<IAsyncDisposable> _running = new();
    private readonly List<LabNodeRun> _nodes = [];
    private LabGround _ground = null!;
    private readonly string? _token;
    private SupervisedProcess _api = null!;
    private SupervisedProcess? _agents;

    private LabCluster(LabClusterOptions options)
    {
        _options = options;
        _paths = new LabPaths(options.Directory, options.NodesDirectory);
        _paths.Create();
        _logging = LabLog.To(_paths.Log("hami-lab"));
        Ports = options.Existing is { } existing
            ? LabPorts.Any.Chosen() with { Extender = existing.ExternalScheduler ? Loopback.ThisPort(existing.ExtenderPort) : Loopback.FreePort(0) }
            : options.Ports.Chosen();
        _token = options.Existing is { } cluster ? LabToken.Of(cluster.Kubeconfig) : Guard.AdminToken;
        ControlPlane = new ControlPlane(new Uri($"http://127.0.0.1:{Ports.Http}/"), _token);
    }

    public LabPorts Ports { get; private set; }

    public PostgresServer Postgres { get; private set; } = null!;

    public IKubernetes Kubernetes => _ground.Kubernetes;

    /// <summary>Where the API server listens.</summary>
    public Uri ApiServer => ((Kubernetes)Kubernetes).BaseUri;

    /// <summary>Where pods of the lab's user go.</summary>
    public string Namespace => _ground.Namespace;

    /// <summary>Readiness and GraphQL of the control plane.</summary>
    public ControlPlane ControlPlane { get; }

    public IReadOnlyList<LabNode> Nodes { get; private set; } = [];

    public IReadOnlyList<LabNode> HollowNodes => _options.HollowNodes;

    public string Kubeconfig => _ground.Kubeconfig;

    public string Logs => _paths.Logs;

    /// <summary>The control plane's process, or null while it is down.</summary>
    public int? ApiProcessId => _api.ProcessId;

    /// <summary>Starts everything; returns once pods could be placed and run.</summary>
    /// <exception cref="InvalidOperationException">Something did not start; the message says what and where its log is.</exception>
    public static async Task<LabCluster> StartAsync(LabClusterOptions options, CancellationToken ct)
    {
        var cluster = new LabCluster(options);
        try
        {
            await cluster.StartPartsAsync(ct);
            await cluster.WaitUntilReadyAsync(ct);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    public LabKubelet Kubelet(string node) => _nodes.Single(run => run.Node.Name == node).Kubelet;

    /// <summary>The MIG instances that exist on a node's cards, a line each in the fake driver's words.</summary>
    public IReadOnlyList<string> MigInstances(string node)
    {
        var file = _nodes.Single(run => run.Node.Name == node).Folder.MigInstances;
        return File.Exists(file) ? [.. File.ReadLines(file).Where(line => line.StartsWith("gi ", StringComparison.Ordinal) || line.StartsWith("ci ", StringComparison.Ordinal))] : [];
    }

    /// <summary>The scheduler that pods with our resources are handed over to.</summary>
    public string SchedulerName => _ground.SchedulerName;

    /// <summary>Adds to a pod what it needs to land on the lab's nodes.</summary>
    public void Prepare(JsonObject pod) => _ground.Prepare(pod);

    /// <summary>Ends the control plane as <c>kill -9</c> does; it comes back by itself where the options say so.</summary>
    public Task KillApiAsync() => _api.KillAsync();

    /// <summary>Starts the control plane after <see cref="KillApiAsync"/> and waits until it is ready.</summary>
    public async Task StartApiAsync(CancellationToken ct)
    {
        await _api.StartAsync();
        await WaitForAsync("the control plane", ControlPlane.IsReadyAsync, ct);
    }

    /// <summary>Ends a node's agent as <c>kill -9</c> does; it comes back by itself.</summary>
    /// <exception cref="InvalidOperationException">One process serves the agents of all nodes.</exception>
    public Task KillAgentAsync(string node) => _nodes.Single(run => run.Node.Name == node).Agent?.KillAsync()
        ?? throw new InvalidOperationException($"The agent of {node} has no process of its own.");

    /// <summary>The process of a node's agent; null while it is down, or where one process serves the agents of all nodes.</summary>
    public int? AgentProcessId(string node) => _nodes.Single(run => run.Node.Name == node).Agent?.ProcessId;

    /// <summary>The process that serves the agents of all nodes; null where each has its own, or while it is down.</summary>
    public int? AgentsProcessId => _agents?.ProcessId;

    public async ValueTask DisposeAsync()
    {
        while (_running.TryPop(out var part))
            await part.DisposeAsync();
        ControlPlane.Dispose();
        _logging.Dispose();
    }

    private async Task StartPartsAsync(CancellationToken ct)
    {
        _options.Progress(_options.Existing is null ? "PostgreSQL and the API server" : $"PostgreSQL, and a namespace in the cluster of {_options.Existing.Kubeconfig}");
        var postgres = PostgresServer.StartAsync(_paths.Postgres, port: null, _options.Durable, _paths.Log("postgres"), ct);
        try
        {
            _ground = Started(await StartGroundAsync(ct));
        }
        finally
        {
            Postgres = Started(await postgres);
        }

        _options.Progress("The control plane");
        var authority = LabAuthority.In(_ground.AuthorityDirectory, _options.Time);
        var certificates = authority.Issue(_paths.Root, _ground.Host, _options.Time);
        SigningKeyPair.Make(_paths.SigningKey, _paths.SigningPublicKey);
        _api = Started(new SupervisedProcess(() => StartApiProcessAsync(certificates), _options.RestartsApi, _options.Time));
        await _api.StartAsync();
        await _ground.RegisterWebhookAsync(new Uri($"https://{_ground.Host}:{Ports.Https}/webhook"), certificates.AuthorityPem, ct);

        Nodes = [.. _options.Nodes.Select(_ground.Named)];
        _options.Progress($"{Nodes.Count + HollowNodes.Count} nodes with {Nodes.Concat(HollowNodes).Sum(node => node.Cards.Count)} cards");
        // In a cluster of somebody else's the agents have no account of their own to show.
        var api = _options.Existing is null ? new ApiOfAgents(new($"https://{_ground.Host}:{Ports.Https}/"), certificates.AuthorityFile) : null;
        foreach (var starting in Nodes.Select(node => LabNodeRun.StartAsync(node, _paths, _ground, _options, api, _logging, ct)).ToList())
            _nodes.Add(Started(await starting));
        if (_options.AgentsProgram is { } program)
            await StartAgentsAsync(program);
        if (HollowNodes.Count > 0)
        {
            Started(await Hollow.HollowNodes.StartAsync(
                new() { Kubernetes = Kubernetes, Nodes = HollowNodes, NodeLabels = _ground.Labels, Time = _options.Time, Logging = _logging }, ct));
        }

        var (client, key) = authority.IssueToClient("kube-scheduler", _options.Time);
        var extender = new ExtenderOptions
        {
            Url = new Uri($"https://{_ground.Host}:{Ports.Extender}/"), CaPem = certificates.AuthorityPem, ClientCertificatePem = client, ClientKeyPem = key,
            PrioritizeVerb = _options.Extender.Prioritize, PreemptVerb = _options.Extender.Preempt,
        };
        if (await _ground.StartSchedulerAsync(extender, ct) is { } scheduler)
            Started(scheduler);
    }

    private async Task StartAgentsAsync(IReadOnlyList<string> program)
    {
        var file = Path.Combine(_paths.Root, "agents.json");
        AgentOnNode.Write(file, _nodes.Select(node => node.Plan));
        _agents = Started(new SupervisedProcess(
            () => ChildProcess.StartAsync("hami-node-agents", [.. program, file], _paths.Log("hami-node-agents"), environment: BuiltPrograms.Environment), restarts: true, _options.Time));
        await _agents.StartAsync();
    }

    private async Task<LabGround> StartGroundAsync(CancellationToken ct) => _options.Existing is { } existing
        ? await ExistingGround.StartAsync(existing, _paths, _logging, _options.Time, ct)
        : await StandInGround.StartAsync(_paths, Ports.ApiServer, _logging, _options.Time, ct);

    private Task<ChildProcess> StartApiProcessAsync(LabCertificates certificates) => ChildProcess.StartAsync(
        "hami-api",
        [
            .. BuiltPrograms.Api, "serve",
            "--http", $"127.0.0.1:{Ports.Http}",
            "--https", $"{_ground.Listens}:{Ports.Https}",
            "--extender", $"{_ground.Listens}:{Ports.Extender}",
            "--extender-client-ca", certificates.AuthorityFile,
            "--metrics-bind-address", $"127.0.0.1:{Ports.Metrics}",
            "--cert-file", certificates.CertificateFile,
            "--key-file", certificates.KeyFile,
            "--signing-key-file", _paths.SigningKey,
            "--postgres", Postgres.ConnectionString,
            "--kubeconfig", _ground.Kubeconfig,
            // Who comes with a certificate has no token to show.
            "--auth-mode", _token is null ? "none" : "kubernetes",
            "--scheduler-name", _ground.SchedulerName,
            "--node-scheduler-policy", "binpack",
            "--gpu-scheduler-policy", "spread",
            .. _options.Extender.Mode is ExtenderMode.Score ? ["--extender-mode", "score"] : Array.Empty<string>(),
        ],
        _paths.Log("hami-api"),
        environment: BuiltPrograms.Environment);

    private async Task WaitUntilReadyAsync(CancellationToken ct)
    {
        await WaitForAsync("the control plane", ControlPlane.IsReadyAsync, ct);
        await WaitForAsync("the nodes' device plugins", PluginsAreRegisteredAsync, ct);
        await WaitForAsync("the nodes to be ready and the cluster's node controller to take the taint node.kubernetes.io/not-ready away", NodesAreUsableAsync, ct);
        await WaitForAsync("the cards in GraphQL", CardsAreKnownAsync, ct);
    }

    // A pod that reaches a kubelet before its plugin has registered is rejected for good.
    private async Task<bool> PluginsAreRegisteredAsync(CancellationToken ct)
    {
        var nodes = await Kubernetes.CoreV1.ListNodeAsync(labelSelector: NotHollow, cancellationToken: ct);
        return Nodes.All(wanted => nodes.Items.Any(node =>
            node.Name() == wanted.Name
            && node.Status?.Allocatable is { } allocatable
            && allocatable.TryGetValue("nvidia.com/gpu", out var count)
            && count.ToInt64() > 0));
    }

    private async Task<bool> NodesAreUsableAsync(CancellationToken ct)
    {
        var nodes = (await Kubernetes.CoreV1.ListNodeAsync(labelSelector: NotHollow, cancellationToken: ct)).Items.ToDictionary(node => node.Name(), StringComparer.Ordinal);
        return Nodes.All(wanted => nodes.TryGetValue(wanted.Name, out var node)
            && node.Status.Conditions?.Any(condition => condition is { Type: "Ready", Status: "True" }) == true
            // Not unschedulable: a node that its user has cordoned is as it should be.
            && node.Spec?.Taints?.Any(taint => taint.Key is "node.kubernetes.io/not-ready" or "node.kubernetes.io/unreachable") != true);
    }

    private async Task<bool> CardsAreKnownAsync(CancellationToken ct)
    {
        var known = (await ControlPlane.NodesAsync(ct)).SelectMany(node => node.Devices).Where(device => device.Healthy).Select(device => device.Uuid);
        return Nodes.Concat(HollowNodes).SelectMany(node => node.Cards).Select(card => card.Uuid).ToHashSet(StringComparer.Ordinal).IsSubsetOf(known);
    }

    private async Task WaitForAsync(string what, Func<CancellationToken, Task<bool>> isThere, CancellationToken ct)
    {
        var since = _options.Time.GetTimestamp();
        while (!await isThere(ct))
        {
            if (_options.Time.GetElapsedTime(since) > Patience)
                throw new InvalidOperationException($"Waited {Patience.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s for {what} in vain; the logs are in {Logs}.");
            await Task.Delay(50, ct);
        }
    }

    private T Started<T>(T part)
        where T : IAsyncDisposable
    {
        _running.Push(part);
        return part;
    }
}
