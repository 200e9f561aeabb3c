using System.Globalization;
using Hami.Lab.ApiServer;
using Hami.Lab.Kubelet;
using Hami.Lab.Scheduler;
using k8s;
using k8s.Models;

namespace Hami.Lab.Cluster;

/// <summary>A whole cluster on this machine, in one directory: started, supervised and stopped as one thing.</summary>
public sealed class LabCluster : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(180);
    private readonly LabClusterOptions _options;
    private readonly LabPaths _paths;
    private readonly ILoggerFactory _logging;

    // What was started, to be stopped in the opposite order.
    private readonly Stack<IAsyncDisposable> _running = new();
    private readonly List<LabNodeRun> _nodes = [];
    private SupervisedProcess _api = null!;

    private LabCluster(LabClusterOptions options)
    {
        _options = options;
        _paths = new LabPaths(options.Directory);
        _paths.Create();
        _logging = LabLog.To(_paths.Log("hami-lab"));
        Ports = options.Ports.Chosen();
        ControlPlane = new ControlPlane(new Uri($"http://127.0.0.1:{Ports.Http}/"));
    }

    public LabPorts Ports { get; private set; }

    public PostgresServer Postgres { get; private set; } = null!;

    /// <summary>The stand-in API server, where faults can be injected.</summary>
    public LabApiServer ApiServer { get; private set; } = null!;

    public LabScheduler Scheduler { get; private set; } = null!;

    public IKubernetes Kubernetes { get; private set; } = null!;

    /// <summary>Readiness and GraphQL of the control plane.</summary>
    public ControlPlane ControlPlane { get; }

    public IReadOnlyList<LabNode> Nodes => _options.Nodes;

    public string Kubeconfig => _paths.Kubeconfig;

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

    /// <summary>Ends the control plane as <c>kill -9</c> does; it comes back by itself where the options say so.</summary>
    public Task KillApiAsync() => _api.KillAsync();

    /// <summary>Starts the control plane after <see cref="KillApiAsync"/> and waits until it is ready.</summary>
    public async Task StartApiAsync(CancellationToken ct)
    {
        await _api.StartAsync();
        await WaitForAsync("the control plane", ControlPlane.IsReadyAsync, ct);
    }

    /// <summary>Ends a node's agent as <c>kill -9</c> does; it comes back by itself.</summary>
    public Task KillAgentAsync(string node) => _nodes.Single(run => run.Node.Name == node).Agent.KillAsync();

    public async ValueTask DisposeAsync()
    {
        while (_running.TryPop(out var part))
            await part.DisposeAsync();
        ControlPlane.Dispose();
        _logging.Dispose();
    }

    private async Task StartPartsAsync(CancellationToken ct)
    {
        _options.Progress("PostgreSQL and the API server");
        var postgres = PostgresServer.StartAsync(_paths.Postgres, port: null, _options.Durable, _paths.Log("postgres"), ct);
        try
        {
            ApiServer = Started(await LabApiServer.StartAsync(
                new LabApiServerOptions { Port = Ports.ApiServer, StorePath = _paths.ApiServerStore, Time = _options.Time }, ct));
            await File.WriteAllTextAsync(_paths.Kubeconfig, ApiServer.Kubeconfig, ct);
            Kubernetes = new Kubernetes(KubernetesClientConfiguration.BuildConfigFromConfigFile(_paths.Kubeconfig));
        }
        finally
        {
            Postgres = Started(await postgres);
        }

        _options.Progress("The control plane");
        var certificates = LabCertificates.Create(_paths.Root, _options.Time);
        _api = Started(new SupervisedProcess(() => StartApiProcessAsync(certificates), _options.RestartsApi, _options.Time));
        await _api.StartAsync();
        await RegisterWebhookAsync(certificates, ct);

        _options.Progress($"{Nodes.Count} nodes with {Nodes.Sum(node => node.Cards.Count)} cards");
        foreach (var starting in Nodes.Select(node => LabNodeRun.StartAsync(node, _paths, Kubernetes, _logging, _options.Time, ct)).ToList())
            _nodes.Add(Started(await starting));

        Scheduler = Started(await LabScheduler.StartAsync(
            new LabSchedulerOptions
            {
                Kubernetes = Kubernetes,
                Extenders = [new() { Url = new Uri($"https://127.0.0.1:{Ports.Https}/") }],
                PercentageOfNodesToScore = 100,
                Time = _options.Time,
                Logging = _logging,
            },
            ct));
    }

    private Task<ChildProcess> StartApiProcessAsync(LabCertificates certificates) => ChildProcess.StartAsync(
        "hami-api",
        [
            .. BuiltPrograms.Api, "serve",
            "--http", $"127.0.0.1:{Ports.Http}",
            "--https", $"127.0.0.1:{Ports.Https}",
            "--cert-file", certificates.CertificateFile,
            "--key-file", certificates.KeyFile,
            "--postgres", Postgres.ConnectionString,
            "--kubeconfig", _paths.Kubeconfig,
            "--scheduler-name", "hami-scheduler",
            "--node-scheduler-policy", "binpack",
            "--gpu-scheduler-policy", "spread",
        ],
        _paths.Log("hami-api"),
        environment: BuiltPrograms.Environment);

    private async Task RegisterWebhookAsync(LabCertificates certificates, CancellationToken ct)
    {
        // A lab that continues finds last time's, with last time's authority in it.
        var configuration = Webhook.Configuration(new Uri($"https://127.0.0.1:{Ports.Https}/webhook"), certificates.AuthorityPem);
        var known = await Kubernetes.AdmissionregistrationV1.ListMutatingWebhookConfigurationAsync(cancellationToken: ct);
        if (known.Items.Any(other => other.Name() == Webhook.Name))
            await Kubernetes.AdmissionregistrationV1.DeleteMutatingWebhookConfigurationAsync(Webhook.Name, cancellationToken: ct);
        await Kubernetes.AdmissionregistrationV1.CreateMutatingWebhookConfigurationAsync(configuration, cancellationToken: ct);
    }

    private async Task WaitUntilReadyAsync(CancellationToken ct)
    {
        await WaitForAsync("the control plane", ControlPlane.IsReadyAsync, ct);
        await WaitForAsync("the nodes' device plugins", PluginsAreRegisteredAsync, ct);
        await WaitForAsync("the cards in GraphQL", CardsAreKnownAsync, ct);
    }

    // A pod that reaches a kubelet before its plugin has registered is rejected for good.
    private async Task<bool> PluginsAreRegisteredAsync(CancellationToken ct)
    {
        var nodes = await Kubernetes.CoreV1.ListNodeAsync(cancellationToken: ct);
        return Nodes.All(wanted => nodes.Items.Any(node =>
            node.Name() == wanted.Name
            && node.Status?.Allocatable is { } allocatable
            && allocatable.TryGetValue("nvidia.com/gpu", out var count)
            && count.ToInt64() > 0));
    }

    private async Task<bool> CardsAreKnownAsync(CancellationToken ct)
    {
        var known = (await ControlPlane.NodesAsync(ct)).SelectMany(node => node.Devices).Where(device => device.Healthy).Select(device => device.Uuid);
        return Nodes.SelectMany(node => node.Cards).Select(card => card.Uuid).ToHashSet(StringComparer.Ordinal).IsSubsetOf(known);
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
