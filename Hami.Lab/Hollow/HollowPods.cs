using System.Globalization;
using System.Text.Json;
using Grpc.Core;
using Hami.Lab.Cluster;
using Hami.Lab.Kubelet;

namespace Hami.Lab.Hollow;

/// <summary>The pods of all hollow nodes: taken in one after another, run without a process, ended when asked or when they would have ended.</summary>
internal sealed partial class HollowPods(IReadOnlyDictionary<string, HollowNode> nodes, HollowWriters writers, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(200);
    private readonly Lock _gate = new();
    private readonly Dictionary<string, HollowPod> _pods = new(StringComparer.Ordinal);
    private readonly PriorityQueue<HollowPod, DateTimeOffset> _ends = new();

    // Most pods of a cluster name their containers alike.
    private readonly Dictionary<string, IReadOnlyList<string>> _names = new(StringComparer.Ordinal);
    private int _list;

    public int Running
    {
        get
        {
            lock (_gate)
                return _pods.Values.Count(p => !p.HasEnded && !p.IsLeaving);
        }
    }

    public async Task Take(PodChange change, JsonElement pod, CancellationToken cancellationToken)
    {
        if (change is PodChange.Listing or PodChange.Listed)
        {
            if (change is PodChange.Listing)
                _list++;
            else
                ForgetUnnamed();
            return;
        }
        if (SeenPod.Text(pod.GetProperty("spec"), "nodeName") is not { } nodeName || !nodes.TryGetValue(nodeName, out var node))
            return;
        var uid = SeenPod.Text(pod.GetProperty("metadata"), "uid") ?? "";
        if (change is PodChange.Gone)
        {
            Forget(uid);
            return;
        }
        HollowPod? known;
        lock (_gate)
            known = _pods.GetValueOrDefault(uid);
        var isNew = known is null;
        known ??= await TakeIn(pod, node, uid, cancellationToken);
        known.NamedIn = _list;
        if (pod.GetProperty("metadata").TryGetProperty("deletionTimestamp", out _))
            Leave(known);
        else if (!isNew && IsTerminal(Phase(pod)))
            End(known);
    }

    /// <summary>Ends pods that only sleep when they have slept enough; goes on until cancelled.</summary>
    public async Task EndInTime(CancellationToken cancellationToken)
    {
        while (true)
        {
            await Task.Delay(Glance, time, cancellationToken);
            var now = time.GetUtcNow();
            while (NextEnd(now) is { } pod)
            {
                if (End(pod))
                    writers.Write(pod, HttpMethod.Patch, $"{pod.Path}/status", BareApi.StrategicPatch, () => PodTexts.Succeeded(pod, now));
            }
        }
    }

    private async Task<HollowPod> TakeIn(JsonElement json, HollowNode node, string uid, CancellationToken cancellationToken)
    {
        var metadata = json.GetProperty("metadata");
        var seen = SeenPod.Read(json);
        var now = time.GetUtcNow();
        var phase = Phase(json);
        var pod = new HollowPod
        {
            Uid = uid,
            Namespace = string.Intern(SeenPod.Text(metadata, "namespace") ?? ""),
            Name = SeenPod.Text(metadata, "name") ?? "",
            Node = node,
            Init = Names(seen.Init),
            Containers = Names(seen.Containers),
            StartedAt = phase == "Running" ? Started(json) ?? now : now,
            HasEnded = IsTerminal(phase),
        };
        lock (_gate)
            _pods[uid] = pod;
        // One that is being deleted before it began takes nothing.
        if (pod.HasEnded || (phase != "Running" && metadata.TryGetProperty("deletionTimestamp", out _)))
            return pod;
        try
        {
            await node.Admit(seen, cancellationToken);
        }
        catch (AdmissionException e) when (phase != "Running")
        {
            Reject(pod, e, now);
            return pod;
        }
        catch (AdmissionException e)
        {
            // It ran before this process did; what it holds is not known.
            Uncounted(log, pod.Namespace, pod.Name, e.Message);
        }
        if (seen.Shares?.Any(s => s.Count > 0) is true && (seen.IsAllocating || phase != "Running"))
            writers.Write(pod, HttpMethod.Patch, pod.Path, BareApi.MergePatch, () => PodTexts.Allocated(pod));
        if (phase != "Running")
            writers.Write(pod, HttpMethod.Patch, $"{pod.Path}/status", BareApi.StrategicPatch, () => PodTexts.Running(pod));
        if (seen.RunsFor is { } runsFor)
        {
            lock (_gate)
            {
                pod.IsToEnd = true;
                _ends.Enqueue(pod, pod.StartedAt + runsFor);
            }
        }
        return pod;
    }

    private void Reject(HollowPod pod, AdmissionException why, DateTimeOffset now)
    {
        pod.HasEnded = true;
        // What the agent refuses, it marks; what the kubelet refuses, it never hears of.
        if (why.InnerException is RpcException)
            writers.Write(pod, HttpMethod.Patch, pod.Path, BareApi.MergePatch, () => PodTexts.AllocationFailed(pod.Uid));
        writers.Write(pod, HttpMethod.Patch, $"{pod.Path}/status", BareApi.StrategicPatch, () => PodTexts.Rejected(pod.Uid, why.Reason, $"Pod was rejected: {why.Message}", now));
        IsRejected(log, pod.Namespace, pod.Name, why.Message);
    }

    private void Leave(HollowPod pod)
    {
        lock (_gate)
        {
            if (pod.IsLeaving)
                return;
            pod.IsLeaving = true;
        }
        // Its devices are free once it has ended, and nothing runs that would need its grace.
        pod.Node.Release(pod.Uid);
        writers.Write(pod, HttpMethod.Delete, pod.Path, BareApi.Json, () => PodTexts.Delete(pod));
    }

    private bool End(HollowPod pod)
    {
        lock (_gate)
        {
            if (pod.HasEnded || pod.IsLeaving)
                return false;
            pod.HasEnded = true;
        }
        pod.Node.Release(pod.Uid);
        return true;
    }

    private void Forget(string uid)
    {
        HollowPod? pod;
        lock (_gate)
        {
            if (!_pods.Remove(uid, out pod))
                return;
            pod.IsLeaving = true;
            // One that would have slept for a day more is not kept for it.
            if (pod.IsToEnd)
                _ends.Remove(pod, out _, out _);
        }
        pod.Node.Release(uid);
    }

    private void ForgetUnnamed()
    {
        List<string> gone;
        lock (_gate)
            gone = [.. _pods.Values.Where(p => p.NamedIn != _list).Select(p => p.Uid)];
        gone.ForEach(Forget);
    }

    private HollowPod? NextEnd(DateTimeOffset now)
    {
        lock (_gate)
        {
            if (!_ends.TryPeek(out var pod, out var due) || due > now)
                return null;
            pod.IsToEnd = false;
            return _ends.Dequeue();
        }
    }

    private IReadOnlyList<string> Names(IReadOnlyList<string> names)
    {
        var key = string.Join('/', names);
        return _names.TryGetValue(key, out var known) ? known : _names[key] = names;
    }

    private static bool IsTerminal(string? phase) => phase is "Succeeded" or "Failed";

    private static string? Phase(JsonElement pod) => pod.TryGetProperty("status", out var status) ? SeenPod.Text(status, "phase") : null;

    private static DateTimeOffset? Started(JsonElement pod) =>
        DateTimeOffset.TryParse(SeenPod.Text(pod.GetProperty("status"), "startTime"), CultureInfo.InvariantCulture, out var time) ? time : null;

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Namespace}/{Pod}: {Sentence}")]
    private static partial void IsRejected(ILogger logger, string @namespace, string pod, string sentence);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Namespace}/{Pod} ran before and holds devices that are not counted: {Sentence}")]
    private static partial void Uncounted(ILogger logger, string @namespace, string pod, string sentence);
}
