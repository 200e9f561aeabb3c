using System.Collections.Concurrent;
using System.Text.Json;
using k8s;
using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>Writes <c>Scheduled</c> and <c>FailedScheduling</c> the way kube-scheduler's recorder does; the same words again become a series.</summary>
internal sealed class SchedulerEvents(IKubernetes kubernetes, string schedulerName, TimeProvider time)
{
    private readonly ConcurrentDictionary<(string Uid, string Reason, string Note), Seen> _seen = new();

    private sealed record Seen(string Name, int Count);

    public Task Scheduled(V1Pod pod, string node, CancellationToken cancellationToken) =>
        Write(pod, "Normal", "Scheduled", "Binding", $"Successfully assigned {pod.Namespace()}/{pod.Name()} to {node}", cancellationToken);

    public Task FailedScheduling(V1Pod pod, string note, CancellationToken cancellationToken) =>
        Write(pod, "Warning", "FailedScheduling", "Scheduling", note, cancellationToken);

    /// <summary>Forgets a pod that is placed or gone, so that the series do not pile up.</summary>
    public void Forget(string uid)
    {
        foreach (var key in _seen.Keys.Where(k => k.Uid == uid))
            _seen.TryRemove(key, out _);
    }

    private async Task Write(V1Pod pod, string type, string reason, string action, string note, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var key = (pod.Uid(), reason, note);
        if (_seen.TryGetValue(key, out var seen))
        {
            var again = seen with { Count = seen.Count + 1 };
            var series = JsonSerializer.Serialize(new
            {
                series = new { count = again.Count, lastObservedTime = now.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'") },
            });
            await kubernetes.EventsV1.PatchNamespacedEventAsync(
                new V1Patch(series, V1Patch.PatchType.StrategicMergePatch), again.Name, pod.Namespace(), cancellationToken: cancellationToken);
            _seen[key] = again;
            return;
        }

        // client-go's name: the object's, and the time in nanoseconds as hexadecimal.
        var name = $"{pod.Name()}.{(now - DateTimeOffset.UnixEpoch).Ticks * 100:x}";
        await kubernetes.EventsV1.CreateNamespacedEventAsync(
            new Eventsv1Event
            {
                ApiVersion = "events.k8s.io/v1",
                Kind = "Event",
                Metadata = new() { Name = name, NamespaceProperty = pod.Namespace() },
                EventTime = now.UtcDateTime,
                ReportingController = schedulerName,
                ReportingInstance = $"{schedulerName}-{Environment.MachineName}",
                Action = action,
                Reason = reason,
                Regarding = new()
                {
                    Kind = "Pod",
                    ApiVersion = "v1",
                    NamespaceProperty = pod.Namespace(),
                    Name = pod.Name(),
                    Uid = pod.Uid(),
                    ResourceVersion = pod.ResourceVersion(),
                },
                Note = note,
                Type = type,
            },
            pod.Namespace(),
            cancellationToken: cancellationToken);
        _seen[key] = new(name, 1);
    }
}
