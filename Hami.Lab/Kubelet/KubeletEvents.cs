using System.Net;
using System.Threading.Channels;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Kubelet;

/// <summary>What <c>kubectl describe pod</c> shows of the node's side; the same words again raise the count.</summary>
internal sealed partial class KubeletEvents(LabKubeletOptions options, ILogger<KubeletEvents> log)
{
    // As many as client-go remembers to count (EventAggregator's cache).
    private const int Remembered = 4096;

    private readonly Channel<Told> _told = Channel.CreateBounded<Told>(new BoundedChannelOptions(1000) { FullMode = BoundedChannelFullMode.DropOldest });
    private readonly Dictionary<(string Uid, string? Container, string Reason, string Message), (string Name, int Count)> _written = [];

    // The first written are forgotten first: a probe may say something else every time.
    private readonly Queue<(string Uid, string? Container, string Reason, string Message)> _order = [];

    private sealed record Told(V1Pod Pod, V1Container? Container, bool IsInit, string Type, string Reason, string Message, DateTimeOffset At);

    public void Normal(V1Pod pod, ContainerState? container, string reason, string message) => Tell(pod, container, "Normal", reason, message);

    public void Warning(V1Pod pod, ContainerState? container, string reason, string message) => Tell(pod, container, "Warning", reason, message);

    /// <summary>Writes what is told until cancelled; an event the server does not take is logged and lost, as with a real kubelet.</summary>
    public async Task WriteAll(CancellationToken cancellationToken)
    {
        await foreach (var told in _told.Reader.ReadAllAsync(cancellationToken))
        {
            try
            {
                await Write(told, cancellationToken);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                NotWritten(log, told.Pod.Metadata.NamespaceProperty, told.Pod.Metadata.Name, e.Message);
            }
        }
    }

    private void Tell(V1Pod pod, ContainerState? container, string type, string reason, string message) =>
        _told.Writer.TryWrite(new(pod, container?.Container, container?.IsInit == true, type, reason, message, options.Time.GetUtcNow()));

    private async Task Write(Told told, CancellationToken cancellationToken)
    {
        var pod = told.Pod.Metadata;
        var key = (pod.Uid, told.Container?.Name, told.Reason, told.Message);
        if (_written.TryGetValue(key, out var before))
        {
            _written[key] = before with { Count = before.Count + 1 };
            if (await Count(before, told, cancellationToken))
                return;
        }
        else if (_order.Count == Remembered)
        {
            _written.Remove(_order.Dequeue());
        }

        // client-go's name: the object's, and the time in nanoseconds as hexadecimal.
        var name = $"{pod.Name}.{((told.At - DateTimeOffset.UnixEpoch).Ticks * 100) + _written.Count:x}";
        if (before.Name is null)
            _order.Enqueue(key);
        _written[key] = (name, before.Count + 1);
        await options.Kubernetes.CoreV1.CreateNamespacedEventAsync(
            new Corev1Event
            {
                ApiVersion = "v1",
                Kind = "Event",
                Metadata = new() { Name = name, NamespaceProperty = pod.NamespaceProperty },
                InvolvedObject = new()
                {
                    ApiVersion = "v1",
                    Kind = "Pod",
                    Name = pod.Name,
                    NamespaceProperty = pod.NamespaceProperty,
                    Uid = pod.Uid,
                    ResourceVersion = pod.ResourceVersion,
                    FieldPath = told.Container is null ? null : $"spec.{(told.IsInit ? "initContainers" : "containers")}{{{told.Container.Name}}}",
                },
                Type = told.Type,
                Reason = told.Reason,
                Message = told.Message,
                Source = new() { Component = "kubelet", Host = options.NodeName },
                ReportingComponent = "kubelet",
                ReportingInstance = options.NodeName,
                FirstTimestamp = told.At.UtcDateTime,
                LastTimestamp = told.At.UtcDateTime,
                Count = before.Count + 1,
            },
            pod.NamespaceProperty,
            cancellationToken: cancellationToken);
    }

    // False when the server has forgotten the event: it is written anew, with its count.
    private async Task<bool> Count((string Name, int Count) before, Told told, CancellationToken cancellationToken)
    {
        var patch = $$"""{"count":{{before.Count + 1}},"lastTimestamp":"{{told.At:yyyy-MM-dd'T'HH:mm:ss'Z'}}"}""";
        try
        {
            await options.Kubernetes.CoreV1.PatchNamespacedEventAsync(
                new V1Patch(patch, V1Patch.PatchType.StrategicMergePatch), before.Name, told.Pod.Metadata.NamespaceProperty, cancellationToken: cancellationToken);
            return true;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.NotFound)
        {
            return false;
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "An event of {Namespace}/{Pod} was not taken: {Sentence}")]
    private static partial void NotWritten(ILogger logger, string @namespace, string pod, string sentence);
}
