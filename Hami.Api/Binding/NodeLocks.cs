using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using Hami.Api.Plumbing;
using Hami.Domain.Binding;
using Hami.Domain.Protocol;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Api.Binding;

/// <summary>Takes turns with other schedulers, and with our own binds, on nodes whose device plugin is HAMi's.</summary>
/// <remarks>That plugin serves one pod at a time: the one the lock names. It takes the lock away when the pod has its devices.</remarks>
internal sealed partial class NodeLocks(IKubernetes kubernetes, NodeLockTimes times, KeyedLock queue, TimeProvider time, ILogger<NodeLocks> logger)
{
    private const string Contention = "node lock contention";
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    // Since when a text has been seen on a node; only of nodes where somebody waited.
    private readonly ConcurrentDictionary<string, (string Text, DateTimeOffset Since)> _seen = new(StringComparer.Ordinal);

    /// <summary>Waits until it is this pod's turn on the node.</summary>
    /// <returns>Why it is not, in a sentence; null when it is.</returns>
    /// <exception cref="HttpOperationException">The API server would not say.</exception>
    public async Task<string?> TakeAsync(string node, string @namespace, string pod, CancellationToken cancellationToken)
    {
        var since = time.GetTimestamp();
        using var patience = new CancellationTokenSource(times.Retry, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            // First come, first served among our own; only the first of them asks the API server.
            using var turn = times.Retry > TimeSpan.Zero ? await queue.AcquireAsync($"node lock {node}", either.Token) : null;
            while (true)
            {
                if (await TryTakeAsync(node, @namespace, pod, cancellationToken))
                    return null;
                if (times.Retry == TimeSpan.Zero)
                    return $"node {node} has been locked within {Go(times.Expiry)}: {Contention}";
                await Task.Delay(Pause, time, either.Token);
            }
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            LogWaited(logger, @namespace, pod, node, time.GetElapsedTime(since));
            return $"timed out after {Go(times.Retry)} waiting for node {node} to be unlocked: {Contention}";
        }
    }

    /// <summary>Gives the turn back after a bind that failed; what others hold stays.</summary>
    public async Task ReleaseAsync(string node, string @namespace, string pod, CancellationToken cancellationToken)
    {
        try
        {
            while (await ReadAsync(node, cancellationToken) is ({ } text, { } version) && NodeLock.MayClear(text, @namespace, pod)
                && !await WriteAsync(node, version, null, cancellationToken))
            {
                await Task.Delay(Pause, time, cancellationToken);
            }
        }
        catch (Exception e) when (e is HttpOperationException or HttpRequestException or IOException)
        {
            // It is re-entrant for this pod, ends with it, and else after its time.
            LogNotReleased(logger, @namespace, pod, node, e.Message);
        }
    }

    /// <summary>One look and, where it is this pod's turn, one write; false when it is somebody else's.</summary>
    private async Task<bool> TryTakeAsync(string node, string @namespace, string pod, CancellationToken cancellationToken)
    {
        while (true)
        {
            var (text, version) = await ReadAsync(node, cancellationToken);
            var now = time.GetUtcNow();
            var unchangedFor = now - SeenSince(node, text, now);
            var step = NodeLockDecider.Decide(text, @namespace, pod, now, unchangedFor, null, times.Expiry);
            if (step is NodeLockStep.AskForHolder)
            {
                var exists = await ExistsAsync(NodeLock.TryParse(text!)!, cancellationToken);
                step = NodeLockDecider.Decide(text, @namespace, pod, now, unchangedFor, exists, times.Expiry);
            }
            if (step is NodeLockStep.Own)
                return true;
            if (step is not NodeLockStep.Take)
                return false;
            if (text is not null)
                LogTakenOver(logger, @namespace, pod, node, text);
            // A conflict: another was faster, or the node changed otherwise, or our own write came through and its answer did not.
            if (await WriteAsync(node, version, new NodeLock(now, @namespace, pod).Encode(), cancellationToken))
                return true;
        }
    }

    private DateTimeOffset SeenSince(string node, string? text, DateTimeOffset now)
    {
        if (text is null)
        {
            _seen.TryRemove(node, out _);
            return now;
        }
        return _seen.AddOrUpdate(node, (text, now), (_, seen) => seen.Text == text ? seen : (text, now)).Since;
    }

    private async Task<(string? Text, string Version)> ReadAsync(string node, CancellationToken cancellationToken)
    {
        var found = await kubernetes.CoreV1.ReadNodeAsync(node, cancellationToken: cancellationToken);
        return (found.GetAnnotation(HamiKeys.NodeLock), found.ResourceVersion());
    }

    /// <summary>Writes the annotation, or removes it, if the node still is of that version; false when it is not.</summary>
    private async Task<bool> WriteAsync(string node, string version, string? text, CancellationToken cancellationToken)
    {
        var patch = new
        {
            metadata = new
            {
                resourceVersion = version,
                annotations = new Dictionary<string, string?>(StringComparer.Ordinal) { [HamiKeys.NodeLock] = text },
            },
        };
        try
        {
            await kubernetes.CoreV1.PatchNodeAsync(
                new V1Patch(System.Text.Json.JsonSerializer.Serialize(patch), V1Patch.PatchType.MergePatch), node, cancellationToken: cancellationToken);
            return true;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.Conflict)
        {
            return false;
        }
        catch (HttpRequestException)
        {
            // Perhaps written, and only the answer lost: the next look tells.
            return false;
        }
    }

    private async Task<bool> ExistsAsync(NodeLock held, CancellationToken cancellationToken)
    {
        try
        {
            await kubernetes.CoreV1.ReadNamespacedPodAsync(held.Pod, held.Namespace, cancellationToken: cancellationToken);
            return true;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.NotFound)
        {
            return false;
        }
    }

    /// <summary>A duration as Go prints it, such as 500ms, 28s, 5m0s or 1h30m0s.</summary>
    private static string Go(TimeSpan duration)
    {
        if (duration.TotalSeconds < 1)
            return string.Create(CultureInfo.InvariantCulture, $"{duration.TotalMilliseconds:0.###}ms");
        var seconds = string.Create(CultureInfo.InvariantCulture, $"{duration.TotalSeconds % 60:0.###}s");
        return duration.TotalMinutes < 1 ? seconds
            : duration.TotalHours < 1 ? $"{duration.Minutes}m{seconds}"
            : $"{(int)duration.TotalHours}h{duration.Minutes}m{seconds}";
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Namespace}/{Pod} waited {Waited} for its turn on {Node} in vain.")]
    private static partial void LogWaited(ILogger logger, string @namespace, string pod, string node, TimeSpan waited);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Namespace}/{Pod} takes over the lock of {Node}, \"{Text}\", which nobody uses any more.")]
    private static partial void LogTakenOver(ILogger logger, string @namespace, string pod, string node, string text);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Namespace}/{Pod} could not give back its lock of {Node} ({Why}); it ends with the pod, or by its age.")]
    private static partial void LogNotReleased(ILogger logger, string @namespace, string pod, string node, string why);
}
