using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Kubelet;

/// <summary>This node's object in the API server: made once, its status written whenever it changed and at intervals.</summary>
internal sealed partial class NodeObject(LabKubeletOptions options, DevicePlugins plugins, int port, ILogger<NodeObject> log)
{
    // A real kubelet looks every 10 s and writes an unchanged status every 5 min; in between its lease says that it lives.
    private static readonly TimeSpan LongestSilence = TimeSpan.FromMinutes(5);

    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private string? _written;
    private DateTimeOffset _writtenAt;

    /// <summary>The node as it was last read.</summary>
    public V1Node? Last { get; private set; }

    /// <summary>Reads the node now; null when the API server does not answer.</summary>
    public async Task<V1Node?> Read(CancellationToken cancellationToken)
    {
        try
        {
            return Last = await options.Kubernetes.CoreV1.ReadNodeAsync(options.NodeName, cancellationToken: cancellationToken);
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    public void Changed() => _changes.Writer.TryWrite(true);

    /// <summary>Makes the node, or takes over the one that is there with its taints, its annotations and its other labels.</summary>
    public async Task Register(CancellationToken cancellationToken)
    {
        var labels = new Dictionary<string, string>(options.NodeLabels, StringComparer.Ordinal);
        labels.TryAdd("gpu", "on");
        labels["kubernetes.io/hostname"] = options.NodeName;
        labels["kubernetes.io/os"] = "linux";
        labels["kubernetes.io/arch"] = "amd64";
        var annotations = new Dictionary<string, string>(options.NodeAnnotations, StringComparer.Ordinal);
        annotations.TryAdd("volumes.kubernetes.io/controller-managed-attach-detach", "true");
        var node = new V1Node
        {
            ApiVersion = "v1",
            Kind = "Node",
            Metadata = new() { Name = options.NodeName, Labels = labels, Annotations = annotations },
            Spec = new() { Taints = options.NodeTaints.Count == 0 ? null : [.. options.NodeTaints] },
        };
        try
        {
            await options.Kubernetes.CoreV1.CreateNodeAsync(node, cancellationToken: cancellationToken);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.Conflict)
        {
            var patch = JsonSerializer.Serialize(new { metadata = new { labels, annotations } });
            await options.Kubernetes.CoreV1.PatchNodeAsync(
                new V1Patch(patch, V1Patch.PatchType.MergePatch), options.NodeName, cancellationToken: cancellationToken);
        }
        await WriteStatus(cancellationToken);
    }

    /// <summary>Keeps the status fresh until cancelled; an outage of the API server is waited out.</summary>
    public async Task KeepFresh(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            using var nap = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await Task.WhenAny(
                _changes.Reader.WaitToReadAsync(nap.Token).AsTask(),
                Task.Delay(options.StatusInterval, options.Time, nap.Token));
            await nap.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
            _changes.Reader.TryRead(out _);
            try
            {
                await WriteStatus(cancellationToken);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                NotWritten(log, options.NodeName, e is HttpOperationException http ? http.Response.Content : e.Message);
                await Task.Delay(TimeSpan.FromSeconds(1), options.Time, cancellationToken);
                Changed();
            }
        }
    }

    private async Task WriteStatus(CancellationToken cancellationToken)
    {
        var now = options.Time.GetUtcNow();
        var before = await options.Kubernetes.CoreV1.ReadNodeAsync(options.NodeName, cancellationToken: cancellationToken);
        Last ??= before;
        var patch = NodeStatus.Patch(before, options.Address, port, plugins.Counts, now);
        var isReady = before.Status?.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) is true;
        var text = WithoutHeartbeats(patch);
        // Somebody who calls a silent node Unknown is told otherwise at once.
        if (isReady && text == _written && now - _writtenAt < LongestSilence)
        {
            Last = before;
            return;
        }
        Last = await options.Kubernetes.CoreV1.PatchNodeStatusAsync(
            new V1Patch(patch.ToJsonString(), V1Patch.PatchType.StrategicMergePatch), options.NodeName, cancellationToken: cancellationToken);
        _written = text;
        _writtenAt = now;
    }

    private static string WithoutHeartbeats(JsonObject patch)
    {
        var bare = patch.DeepClone();
        foreach (var condition in bare["status"]!["conditions"]!.AsArray())
        {
            condition!.AsObject().Remove("lastHeartbeatTime");
            condition.AsObject().Remove("lastTransitionTime");
        }
        return bare.ToJsonString();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The API server did not take the status of node {Node}, it is tried again: {Sentence}")]
    private static partial void NotWritten(ILogger logger, string node, string sentence);
}
