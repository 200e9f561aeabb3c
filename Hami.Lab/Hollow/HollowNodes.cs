using System.Net;
using System.Text.Json;
using Hami.Lab.Cluster;
using Hami.Lab.Kubelet;
using k8s;

namespace Hami.Lab.Hollow;

/// <summary>Many nodes in one process, without agents and containers: what the API server hears of them is what it would hear of real ones.</summary>
public sealed partial class HollowNodes : IAsyncDisposable
{
    private static readonly TimeSpan StatusInterval = TimeSpan.FromMinutes(5);
    private readonly HollowNodesOptions _options;
    private readonly ILogger _log;
    private readonly BareApi _api;
    private readonly HollowNode[] _nodes;
    private readonly Dictionary<string, HollowNode> _byName;
    private readonly string[] _nodeUids;
    private readonly HollowPods _pods;
    private readonly HollowWriters _writers;
    private readonly CancellationTokenSource _stop = new();
    private Task _loops = Task.CompletedTask;
    private HollowServer? _server;

    private HollowNodes(HollowNodesOptions options)
    {
        _options = options;
        _log = options.Logging.CreateLogger<HollowNodes>();
        _api = new(options.Kubernetes as Kubernetes ?? throw new ArgumentException("Hollow nodes need the client's own class Kubernetes.", nameof(options)));
        _nodes = [.. options.Nodes.Select((node, seed) => new HollowNode(node, options.SplitCount, seed))];
        _byName = _nodes.ToDictionary(n => n.Node.Name, StringComparer.Ordinal);
        _nodeUids = new string[_nodes.Length];
        _writers = new(_api, options.Writers, options.Time, _log);
        _pods = new(_byName, _writers, options.Time, _log);
    }

    /// <summary>Pods on these nodes that run.</summary>
    public int RunningPods => _pods.Running;

    /// <summary>Device ids that pods on the node hold.</summary>
    public int DevicesInUse(string node) => _byName[node].InUse;

    /// <summary>Starts them; returns when all nodes are Ready and the pods they already have are known.</summary>
    public static async Task<HollowNodes> StartAsync(HollowNodesOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        var nodes = new HollowNodes(options);
        try
        {
            await nodes.Start(cancellationToken);
            return nodes;
        }
        catch
        {
            await nodes.DisposeAsync();
            throw;
        }
    }

    /// <summary>Stops saying that the nodes live; their objects and pods stay as they are.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loops.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_server is not null)
            await _server.DisposeAsync();
        _stop.Dispose();
    }

    private async Task Start(CancellationToken cancellationToken)
    {
        _server = await HollowServer.StartAsync(_options.Time, cancellationToken);
        await Parallel.ForAsync(
            0, _nodes.Length, new ParallelOptions { MaxDegreeOfParallelism = _options.Writers, CancellationToken = cancellationToken }, async (i, ct) => await Register(i, ct));
        var listed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var stream = new PodStream(_api, _options.Time, _log);
        _loops = Task.WhenAll(
            Run("pods", () => stream.Follow((change, pod) => Take(change, pod, listed), _stop.Token)),
            Run("writers", () => _writers.Run(_stop.Token)),
            Run("ends", () => _pods.EndInTime(_stop.Token)),
            Run("leases", () => Spread.Over(_nodes.Length, _options.LeaseDuration / 4, _options.Writers, Renew, _options.Time, _stop.Token)),
            Run("node status", () => Spread.Over(_nodes.Length, StatusInterval, _options.Writers, WriteStatus, _options.Time, _stop.Token)));
        await listed.Task.WaitAsync(cancellationToken);
        Runs(_log, _nodes.Length);
    }

    private Task Run(string name, Func<Task> loop) => Loops.Run(name, loop, _log, _stop.Token);

    private async Task Take(PodChange change, JsonElement pod, TaskCompletionSource listed)
    {
        try
        {
            await _pods.Take(change, pod, _stop.Token);
        }
        catch (Exception e) when (!_stop.IsCancellationRequested && pod.ValueKind is JsonValueKind.Object)
        {
            // One pod that cannot even be taken in must not take the others down.
            var name = pod.TryGetProperty("metadata", out var metadata) ? SeenPod.Text(metadata, "name") : null;
            PodBroke(_log, name ?? "", e);
        }
        if (change is PodChange.Listed)
            listed.TrySetResult();
    }

    private async Task Register(int index, CancellationToken cancellationToken)
    {
        var node = _nodes[index];
        var path = $"/api/v1/nodes/{node.Node.Name}";
        var now = _options.Time.GetUtcNow();
        var (code, said) = await _api.Send(HttpMethod.Post, "/api/v1/nodes", BareApi.Json, NodeTexts.Object(node, _options, _server!.Port, now), cancellationToken, keep: true);
        if (code is HttpStatusCode.Conflict)
        {
            (code, said) = await _api.Send(HttpMethod.Patch, path, BareApi.MergePatch, NodeTexts.MetadataPatch(node, _options), cancellationToken, keep: true);
            if ((int)code < 400)
                (code, said) = await _api.Send(HttpMethod.Patch, $"{path}/status", BareApi.StrategicPatch, NodeTexts.StatusPatch(node, _server!.Port, now), cancellationToken, keep: true);
        }
        if ((int)code >= 400)
            throw new InvalidOperationException($"The API server did not take the hollow node {node.Node.Name}: {said}");
        using var made = JsonDocument.Parse(said);
        _nodeUids[index] = SeenPod.Text(made.RootElement.GetProperty("metadata"), "uid") ?? "";
        await Renew(index, cancellationToken);
    }

    private async Task Renew(int index, CancellationToken cancellationToken)
    {
        var node = _nodes[index];
        const string Leases = $"/apis/coordination.k8s.io/v1/namespaces/{NodeTexts.LeaseNamespace}/leases";
        var now = _options.Time.GetUtcNow();
        await Try(node, async () =>
        {
            var (code, said) = await _api.Send(
                HttpMethod.Patch, $"{Leases}/{node.Node.Name}", BareApi.MergePatch, NodeTexts.Renewal(node, _options.LeaseDuration, now), cancellationToken);
            return code is HttpStatusCode.NotFound
                ? await _api.Send(HttpMethod.Post, Leases, BareApi.Json, NodeTexts.Lease(node, _nodeUids[index], _options.LeaseDuration, now), cancellationToken)
                : (code, said);
        }, cancellationToken);
    }

    private Task WriteStatus(int index, CancellationToken cancellationToken)
    {
        var node = _nodes[index];
        return Try(node, () => _api.Send(
            HttpMethod.Patch, $"/api/v1/nodes/{node.Node.Name}/status", BareApi.StrategicPatch, NodeTexts.StatusPatch(node, _server!.Port, _options.Time.GetUtcNow()), cancellationToken), cancellationToken);
    }

    // What is missed now is done at the next turn.
    private async Task Try(HollowNode node, Func<Task<(HttpStatusCode Code, string Said)>> send, CancellationToken cancellationToken)
    {
        try
        {
            var (code, said) = await send();
            if ((int)code >= 400)
                NotRenewed(_log, node.Node.Name, said);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            NotRenewed(_log, node.Node.Name, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Count} hollow nodes are Ready.")]
    private static partial void Runs(ILogger logger, int count);

    [LoggerMessage(Level = LogLevel.Error, Message = "The hollow nodes could not take in the pod {Pod}.")]
    private static partial void PodBroke(ILogger logger, string pod, Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The API server was not told that the hollow node {Node} lives: {Sentence}")]
    private static partial void NotRenewed(ILogger logger, string node, string sentence);
}
