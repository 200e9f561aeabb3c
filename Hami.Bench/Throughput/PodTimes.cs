using System.Collections.Concurrent;
using System.Text.Json;
using Hami.Domain.Protocol;
using Hami.Lab.Hollow;

namespace Hami.Bench.Throughput;

/// <summary>When each pod was sent to the API server, and when it was seen running with all its devices handed out.</summary>
internal sealed class PodTimes(int expected, TimeProvider time)
{
    private readonly ConcurrentDictionary<string, long> _sent = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, long> _running = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource _all = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when all run; fails with the sentence of the first that never will.</summary>
    public Task All => _all.Task;

    public int Running => _running.Count;

    /// <summary>When the first pod was sent, a timestamp of the clock.</summary>
    public long FirstSent => _sent.Values.Min();

    /// <summary>From the first pod sent to the last that came to run.</summary>
    public TimeSpan Whole => time.GetElapsedTime(FirstSent, _running.Values.Max());

    public void Sent(string pod) => _sent[pod] = time.GetTimestamp();

    /// <summary>Takes in what the watch says of a pod.</summary>
    public Task Seen(PodChange change, JsonElement pod)
    {
        if (change is not PodChange.Seen || !pod.TryGetProperty("status", out var status))
            return Task.CompletedTask;
        var metadata = pod.GetProperty("metadata");
        var name = SeenPod.Text(metadata, "name") ?? "";
        if (!_sent.ContainsKey(name))
            return Task.CompletedTask;
        if (SeenPod.Text(status, "phase") is "Failed")
            _all.TrySetException(new InvalidOperationException($"The pod {name} failed: {SeenPod.Text(status, "message")}"));
        var attached = metadata.TryGetProperty("annotations", out var annotations) && SeenPod.Text(annotations, HamiKeys.BindPhase) == BindPhases.Success;
        if (attached && SeenPod.Text(status, "phase") is "Running" && _running.TryAdd(name, time.GetTimestamp()) && _running.Count == expected)
            _all.TrySetResult();
        return Task.CompletedTask;
    }

    /// <summary>From a pod's creation to its running, in milliseconds: the value that this share of the pods does not exceed.</summary>
    public double Quantile(double share)
    {
        var sorted = _running.Select(pod => time.GetElapsedTime(_sent[pod.Key], pod.Value).TotalMilliseconds).Order().ToList();
        return sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Count) - 1, 0, sorted.Count - 1)];
    }
}
