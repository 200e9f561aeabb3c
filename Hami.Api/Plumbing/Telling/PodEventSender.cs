using System.Globalization;
using System.Net;
using System.Threading.RateLimiting;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Api.Plumbing.Telling;

/// <summary>Who events come from: the scheduler's name, as in HAMi.</summary>
internal sealed record PodEventSource(string Component);

/// <summary>
/// Sends events behind everybody's back, at a bounded rate. The same thing said again is counted on the Event that exists;
/// where we may not patch Events (HAMi's role lets us only create them) it is said again in minutes.
/// </summary>
internal sealed partial class PodEventSender(
    PodEvents events, IKubernetes kubernetes, PodEventSource source, TimeProvider time, ILogger<PodEventSender> logger) : BackgroundService
{
    private const int PerSecond = 50; // as the kubelet's
    private const int Burst = 100;
    private const int LongestName = 253;
    private static readonly TimeSpan SameAgain = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan ForOneCall = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly PodEventBook _book = new(time);
    private readonly Lock _reading = new();
    private bool _mayPatch = true;
    private long _lastNanoseconds;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        UntilStopped.RunAsync(WordAsync, time, logger, stoppingToken), UntilStopped.RunAsync(SendAsync, time, logger, stoppingToken));

    private async Task WordAsync(CancellationToken stoppingToken)
    {
        await foreach (var (pod, texts) in events.Unworded.ReadAllAsync(stoppingToken))
        {
            try
            {
                if (!HasRoom(pod.Uid))
                    events.CountDropped();
                else
                    foreach (var text in texts())
                        events.Tell(pod, text);
            }
            catch (Exception e)
            {
                LogUnworded(logger, pod.Namespace, pod.Name, e);
            }
        }
    }

    private async Task SendAsync(CancellationToken stoppingToken)
    {
        await using var rate = new TokenBucketRateLimiter(new()
        {
            TokenLimit = Burst, TokensPerPeriod = 1, ReplenishmentPeriod = TimeSpan.FromSeconds(1) / PerSecond, QueueLimit = 1, AutoReplenishment = true,
        });
        await foreach (var (pod, text) in events.Worded.ReadAllAsync(stoppingToken))
        {
            if (TakeDue(pod, text) is not { } told)
                continue;
            using (await rate.AcquireAsync(1, stoppingToken))
                await UntilSentAsync(told, stoppingToken);
        }
    }

    private Told? TakeDue(PodReference pod, PodEventText text)
    {
        lock (_reading)
        {
            var told = _book.Count(pod, text);
            if (told.Name is not null && !_mayPatch && time.GetUtcNow() - told.SentAt < SameAgain)
                return null;
            if (_book.TryTakeRoom(pod.Uid))
                return told;
            events.CountDropped();
            return null;
        }
    }

    private bool HasRoom(string podUid)
    {
        lock (_reading)
            return _book.HasRoom(podUid);
    }

    // While the API server is away nothing is sent, and the queue drops its oldest.
    private async Task UntilSentAsync(Told told, CancellationToken cancellationToken)
    {
        for (var pause = TimeSpan.FromSeconds(1); ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                patience.CancelAfter(ForOneCall);
                await TellAsync(told, patience.Token);
                told.SentAt = time.GetUtcNow();
                return;
            }
            catch (HttpOperationException e) when (e.Response.StatusCode is >= HttpStatusCode.BadRequest and < HttpStatusCode.InternalServerError
                and not (HttpStatusCode.TooManyRequests or HttpStatusCode.Conflict)) // somebody else's Event may have the name
            {
                // The namespace may be gone, or we may not write Events at all.
                events.CountDropped();
                LogRefused(logger, told.Pod.Namespace, told.Pod.Name, e.Response.StatusCode);
                return;
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                LogNotSent(logger, told.Pod.Namespace, told.Pod.Name, pause.TotalSeconds, e.Message);
                await Task.Delay(pause, time, cancellationToken);
            }
        }
    }

    private async Task TellAsync(Told told, CancellationToken cancellationToken)
    {
        if (told.Name is not null && _mayPatch && await TryCountAsync(told, cancellationToken))
            return;
        var name = NameOf(told);
        await kubernetes.CoreV1.CreateNamespacedEventAsync(EventOf(told, name), told.Pod.Namespace, cancellationToken: cancellationToken);
        told.Name = name;
    }

    /// <summary>Counts one more of an Event that is there.</summary>
    /// <returns>False when there is no such Event any more, or we may not patch it.</returns>
    private async Task<bool> TryCountAsync(Told told, CancellationToken cancellationToken)
    {
        try
        {
            var patch = new V1Patch(new { count = told.Count, lastTimestamp = told.Last.UtcDateTime }, V1Patch.PatchType.MergePatch);
            await kubernetes.CoreV1.PatchNamespacedEventAsync(patch, told.Name, told.Pod.Namespace, cancellationToken: cancellationToken);
            return true;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.NotFound)
        {
            return false;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.Forbidden)
        {
            _mayPatch = false;
            LogMayNotPatch(logger, SameAgain.TotalMinutes);
            return true;
        }
    }

    // As client-go names them: the pod, a dot, the time in hexadecimal; no two the same.
    private string NameOf(Told told)
    {
        _lastNanoseconds = Math.Max(_lastNanoseconds + 1, (time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks * 100);
        var suffix = "." + _lastNanoseconds.ToString("x", CultureInfo.InvariantCulture);
        return (told.Pod.Name.Length + suffix.Length > LongestName ? told.Pod.Name[..(LongestName - suffix.Length)] : told.Pod.Name) + suffix;
    }

    private Corev1Event EventOf(Told told, string name) => new()
    {
        Metadata = new() { Name = name, NamespaceProperty = told.Pod.Namespace },
        InvolvedObject = new()
        {
            ApiVersion = "v1", Kind = "Pod", NamespaceProperty = told.Pod.Namespace, Name = told.Pod.Name, Uid = told.Pod.Uid,
            ResourceVersion = told.Pod.ResourceVersion.Length > 0 ? told.Pod.ResourceVersion : null,
        },
        Type = told.Text.Type.ToString(),
        Reason = told.Text.Reason,
        Message = told.Text.Message,
        Count = told.Count,
        FirstTimestamp = told.First.UtcDateTime,
        LastTimestamp = told.Last.UtcDateTime,
        Source = new() { Component = source.Component },
        ReportingComponent = source.Component,
        ReportingInstance = "",
    };

    [LoggerMessage(Level = LogLevel.Warning, Message = "An event about {Namespace}/{Pod} could not be put into words.")]
    private static partial void LogUnworded(ILogger logger, string @namespace, string pod, Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The API server does not take an event about {Namespace}/{Pod}: {Status}. It is dropped.")]
    private static partial void LogRefused(ILogger logger, string @namespace, string pod, HttpStatusCode status);

    [LoggerMessage(Level = LogLevel.Warning, Message = "An event about {Namespace}/{Pod} is not sent yet, trying again in {Seconds} s: {Why}")]
    private static partial void LogNotSent(ILogger logger, string @namespace, string pod, double seconds, string why);

    [LoggerMessage(Level = LogLevel.Information, Message = "Events may be created, not patched (grant the verb patch on events to have repeated ones counted); the same is said again after {Minutes} min.")]
    private static partial void LogMayNotPatch(ILogger logger, double minutes);
}
