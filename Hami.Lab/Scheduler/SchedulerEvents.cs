using System.Net;
using System.Text.Json;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>Writes events of <c>events.k8s.io/v1</c> as client-go's recorder does.</summary>
/// <remarks>
/// The same again about the same version of the same pod, whatever the note, makes the first event a series. The second time is
/// written at once; later ones are only counted and written every half hour and when the series has been quiet for six minutes.
/// </remarks>
internal sealed class SchedulerEvents(IKubernetes kubernetes, TimeProvider time)
{
    private const int LongestNote = 1024;
    private static readonly TimeSpan Finish = TimeSpan.FromMinutes(6);
    private static readonly TimeSpan Refresh = TimeSpan.FromMinutes(30);

    private readonly Lock _gate = new();
    private readonly Dictionary<Key, Eventsv1Event> _seen = [];

    private readonly record struct Key(string Type, string Action, string Reason, string Controller, string PodUid, string? PodVersion, string? RelatedUid);

    /// <summary>An event about a pod.</summary>
    public sealed record About(PodRecord Pod, string Controller, string Type, string Reason, string Action, string Note, V1ObjectReference? Related = null);

    public static V1ObjectReference Reference(PodRecord pod) => new()
    {
        Kind = "Pod",
        ApiVersion = "v1",
        NamespaceProperty = pod.Namespace,
        Name = pod.Name,
        Uid = pod.Uid,
        ResourceVersion = pod.ResourceVersion,
    };

    public Task Write(About about, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var key = new Key(about.Type, about.Action, about.Reason, about.Controller, about.Pod.Uid, about.Pod.ResourceVersion, about.Related?.Uid);
        Eventsv1Event? first;
        lock (_gate)
        {
            if (_seen.TryGetValue(key, out first))
            {
                var isCountedOnly = first.Series is not null;
                first.Series = new() { Count = (first.Series?.Count ?? 1) + 1, LastObservedTime = now.UtcDateTime };
                if (isCountedOnly)
                    return Task.CompletedTask;
            }
            else
            {
                _seen[key] = first = First(about, now);
            }
        }
        return Record(first, cancellationToken);
    }

    /// <summary>Writes down what has only been counted, until cancelled.</summary>
    public async Task Tend(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Finish, time);
        for (var turn = 1; await timer.WaitForNextTickAsync(cancellationToken); turn++)
        {
            foreach (var series in Quiet(all: turn % (Refresh / Finish) == 0))
            {
                try
                {
                    await Record(series, cancellationToken);
                }
                catch (Exception) when (!cancellationToken.IsCancellationRequested)
                {
                    // The count of an old series is worth no second try.
                }
            }
        }
    }

    private List<Eventsv1Event> Quiet(bool all)
    {
        var since = (time.GetUtcNow() - Finish).UtcDateTime;
        var toWrite = new List<Eventsv1Event>();
        lock (_gate)
        {
            foreach (var (key, seen) in _seen.ToList())
            {
                var isQuiet = (seen.Series?.LastObservedTime ?? seen.EventTime) < since;
                if (isQuiet)
                    _seen.Remove(key);
                if (seen.Series is not null && (isQuiet || all))
                    toWrite.Add(seen);
            }
        }
        return toWrite;
    }

    private static Eventsv1Event First(About about, DateTimeOffset now) => new()
    {
        ApiVersion = "events.k8s.io/v1",
        Kind = "Event",
        // client-go's name: the object's, and the time in nanoseconds as hexadecimal.
        Metadata = new() { Name = $"{about.Pod.Name}.{(now - DateTimeOffset.UnixEpoch).Ticks * 100:x}", NamespaceProperty = about.Pod.Namespace },
        EventTime = now.UtcDateTime,
        ReportingController = about.Controller,
        ReportingInstance = $"{about.Controller}-{Environment.MachineName}",
        Action = about.Action,
        Reason = about.Reason,
        Regarding = Reference(about.Pod),
        Related = about.Related,
        Note = about.Note.Length <= LongestNote ? about.Note : $"{about.Note[..(LongestNote - 4)]} ...",
        Type = about.Type,
    };

    private async Task Record(Eventsv1Event recorded, CancellationToken cancellationToken)
    {
        if (recorded.Series is { } series)
        {
            var patch = JsonSerializer.Serialize(new
            {
                series = new { count = series.Count, lastObservedTime = series.LastObservedTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'") },
            });
            try
            {
                await kubernetes.EventsV1.PatchNamespacedEventAsync(
                    new V1Patch(patch, V1Patch.PatchType.StrategicMergePatch), recorded.Metadata.Name, recorded.Metadata.NamespaceProperty, cancellationToken: cancellationToken);
                return;
            }
            catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.NotFound)
            {
                // The server has forgotten the first one: it is written anew, with its series.
            }
        }
        await kubernetes.EventsV1.CreateNamespacedEventAsync(recorded, recorded.Metadata.NamespaceProperty, cancellationToken: cancellationToken);
    }
}
