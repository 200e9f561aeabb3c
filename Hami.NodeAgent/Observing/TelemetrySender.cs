using System.Security.Cryptography;
using Grpc.Core;
using Hami.NodeAgent.Plumbing;
using Hami.Telemetry.V1;

namespace Hami.NodeAgent.Observing;

/// <summary>
/// Tells the control plane what was measured, some moments at once. While it is away they wait, so many and no more; nothing else of the
/// agent waits for it.
/// </summary>
internal sealed partial class TelemetrySender(AgentOptions agent, NodeReadings readings, TimeProvider time, ILogger<TelemetrySender> log) : BackgroundService
{
    private readonly TelemetryOptions? options = agent.Telemetry;
    private readonly TelemetryQueue waiting = new(agent.Telemetry?.MostWaiting ?? 0);
    private readonly HashSet<string> said = new(StringComparer.Ordinal);
    // Of its own for each node: thousands that lost the control plane at one moment do not come back at one.
    private readonly Random chance = new(string.GetHashCode(agent.NodeName, StringComparison.Ordinal));
    private ulong droppedBefore;

    /// <summary>Moments that were taken over to be told.</summary>
    public ulong Gathered { get; private set; }

    /// <summary>Moments that were given up because too many waited.</summary>
    public ulong Dropped => waiting.Dropped;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options is null)
            return;
        await Task.WhenAll(
            UntilStopped.RunAsync(Gather, time, log, stoppingToken),
            UntilStopped.RunAsync(cancellation => Tell(options, cancellation), time, log, stoppingToken));
    }

    private async Task Gather(CancellationToken stopping)
    {
        NodeMoment? seen = null;
        while (true)
        {
            var (moment, next) = readings.Watch();
            if (moment is not null && !ReferenceEquals(moment, seen))
            {
                seen = moment;
                waiting.Add(moment);
                Gathered++;
                continue;
            }
            await next.WaitAsync(stopping);
        }
    }

    private async Task Tell(TelemetryOptions to, CancellationToken stopping)
    {
        using var channel = new TelemetryChannel(to);
        var failed = 0;
        await Task.Delay(to.Interval * chance.NextDouble(), time, stopping);
        while (true)
        {
            var moments = waiting.First(to.MostInAReport);
            if (moments.Count > 0)
                failed = await Report(channel, to, moments, failed > 0, stopping) ? 0 : failed + 1;
            var pause = failed > 0 ? Jittered(Outage.BackOff(failed - 1, to.FirstPause, to.LongestPause))
                // What waited during an outage goes at once, at the pace the control plane allows.
                : waiting.Count >= to.MostInAReport ? TimeSpan.FromSeconds(1)
                : to.Interval;
            await Task.Delay(pause, time, stopping);
        }
    }

    /// <summary>Returns false when the moments are to be told again.</summary>
    private async Task<bool> Report(TelemetryChannel channel, TelemetryOptions to, IReadOnlyList<NodeMoment> moments, bool failedBefore, CancellationToken stopping)
    {
        try
        {
            var request = TelemetryReport.Of(agent.NodeName, moments, waiting.Dropped);
            var deadline = time.GetUtcNow().UtcDateTime + to.Patience;
            var answer = await Bounded.Call(
                to.Patience, async c => await channel.Client().ReportAsync(request, channel.Headers(), deadline, c), stopping);
            waiting.Remove(moments);
            Said(answer);
            if (failedBefore)
                LogBack(to.Address);
            if (waiting.Dropped > droppedBefore)
                LogDropped(waiting.Dropped - droppedBefore, to.MostWaiting);
            droppedBefore = waiting.Dropped;
            return true;
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.InvalidArgument)
        {
            // The same again would be refused again.
            waiting.Remove(moments);
            Say(e.Status.Detail);
            return true;
        }
        catch (Exception e) when (Outage.Is(e, stopping) || (e is CryptographicException && !stopping.IsCancellationRequested))
        {
            if (!failedBefore)
                LogAway(to.Address, Outage.Reason(e), to.MostWaiting);
            return false;
        }
    }

    private void Said(ReportResponse answer)
    {
        foreach (var sentence in answer.Refused)
            Say(sentence);
    }

    // Each sentence once, and of no more than these: they come from outside.
    private void Say(string sentence)
    {
        if (said.Count < 100 && said.Add(sentence))
            LogRefused(sentence);
    }

    private TimeSpan Jittered(TimeSpan pause) => pause * (0.5 + chance.NextDouble());

    [LoggerMessage(LogLevel.Warning, "The control plane at {Address} is not told what was measured ({Reason}); up to {Moments} moments wait, then the oldest are given up")]
    private partial void LogAway(Uri address, string reason, int moments);

    [LoggerMessage(LogLevel.Information, "The control plane at {Address} is told again what was measured")]
    private partial void LogBack(Uri address);

    [LoggerMessage(LogLevel.Warning, "{Dropped} moments were given up while the control plane was away: more than {Most} waited")]
    private partial void LogDropped(ulong dropped, int most);

    [LoggerMessage(LogLevel.Warning, "The control plane did not take all that was measured: {Sentence}")]
    private partial void LogRefused(string sentence);
}
