using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Kubelet;

/// <summary>This node's object in the API server: made once, its status renewed at intervals and whenever devices change.</summary>
internal sealed partial class NodeObject(LabKubeletOptions options, DevicePlugins plugins, int port, ILogger<NodeObject> log)
{
    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly DateTimeOffset _readySince = options.Time.GetUtcNow();

    public void Changed() => _changes.Writer.TryWrite(true);

    /// <summary>Makes the node, or takes over the one that is there with its labels and annotations.</summary>
    public async Task Register(CancellationToken cancellationToken)
    {
        var labels = new Dictionary<string, string>(options.NodeLabels, StringComparer.Ordinal);
        labels.TryAdd("gpu", "on");
        labels["kubernetes.io/hostname"] = options.NodeName;
        labels["kubernetes.io/os"] = "linux";
        var node = new V1Node
        {
            ApiVersion = "v1",
            Kind = "Node",
            Metadata = new() { Name = options.NodeName, Labels = labels },
            Spec = new(),
        };
        try
        {
            await options.Kubernetes.CoreV1.CreateNodeAsync(node, cancellationToken: cancellationToken);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == System.Net.HttpStatusCode.Conflict)
        {
            var patch = JsonSerializer.Serialize(new { metadata = new { labels } });
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
            catch (Exception e) when (e is HttpOperationException or HttpRequestException or IOException
                || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                NotWritten(log, options.NodeName, e.Message);
                await Task.Delay(TimeSpan.FromSeconds(1), options.Time, cancellationToken);
                Changed();
            }
        }
    }

    private Task<V1Node> WriteStatus(CancellationToken cancellationToken)
    {
        var now = options.Time.GetUtcNow();
        var capacity = Basics();
        var allocatable = Basics();
        foreach (var (resource, (count, healthy)) in plugins.Counts)
        {
            capacity[resource] = new(count.ToString());
            allocatable[resource] = new(healthy.ToString());
        }
        var status = new V1NodeStatus
        {
            Addresses =
            [
                new() { Type = "InternalIP", Address = PodReport.Address },
                new() { Type = "Hostname", Address = options.NodeName },
            ],
            Capacity = capacity,
            Allocatable = allocatable,
            DaemonEndpoints = new() { KubeletEndpoint = new() { Port = port } },
            Conditions =
            [
                new()
                {
                    Type = "Ready",
                    Status = "True",
                    Reason = "KubeletReady",
                    Message = "kubelet is posting ready status",
                    LastHeartbeatTime = now.UtcDateTime,
                    LastTransitionTime = _readySince.UtcDateTime,
                },
            ],
            NodeInfo = new()
            {
                Architecture = "amd64",
                OperatingSystem = "linux",
                KubeletVersion = "v1.36.2-lab",
                KubeProxyVersion = "",
                ContainerRuntimeVersion = "process://1.0",
                OsImage = "lab",
                KernelVersion = Environment.OSVersion.Version.ToString(),
                MachineID = options.NodeName,
                SystemUUID = options.NodeName,
                BootID = "",
            },
        };
        var patch = new JsonObject { ["status"] = JsonNode.Parse(KubernetesJson.Serialize(status)) };
        return options.Kubernetes.CoreV1.PatchNodeStatusAsync(
            new V1Patch(patch.ToJsonString(), V1Patch.PatchType.MergePatch), options.NodeName, cancellationToken: cancellationToken);
    }

    private static Dictionary<string, ResourceQuantity> Basics() => new(StringComparer.Ordinal)
    {
        ["cpu"] = new(Environment.ProcessorCount.ToString()),
        ["memory"] = new($"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1024}Ki"),
        ["pods"] = new("110"),
    };

    [LoggerMessage(Level = LogLevel.Warning, Message = "The API server did not take the status of node {Node}, it is tried again: {Sentence}")]
    private static partial void NotWritten(ILogger logger, string node, string sentence);
}
