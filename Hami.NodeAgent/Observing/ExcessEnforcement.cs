using System.Collections.Immutable;
using System.Globalization;
using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Plumbing;

namespace Hami.NodeAgent.Observing;

/// <summary>What is done about a container that holds more than its limit.</summary>
internal enum OnExcess
{
    /// <summary>It is told: an event on the pod, a line in the log, a metric.</summary>
    Report,

    /// <summary>And its largest process is ended.</summary>
    Kill,
}

/// <summary>Whose processes the last look found on which card.</summary>
/// <param name="StartTicks">Which process of that pid.</param>
/// <param name="Owner">The kernel's word; null when it gave none.</param>
internal sealed record ProcessFound(int Pid, long StartTicks, CgroupOwner? Owner, WatchedContainer Container, string DeviceUuid, long? Bytes);

/// <summary>The backstop: counters in a region are their container's word, the driver's are not.</summary>
internal sealed partial class ExcessEnforcement(
    NodeReadings readings, ProcessFiles processes, PodsWithShares pods, PodComplaints complaints, AgentOptions options, TimeProvider time, ILogger<ExcessEnforcement> log) : BackgroundService
{
    private const string Reason = "MemoryLimitExceeded";
    private const double MiB = 1 << 20;

    private ImmutableDictionary<ShareName, Excess> known = ImmutableDictionary<ShareName, Excess>.Empty;

    /// <summary>Those of which it was said.</summary>
    public IReadOnlySet<ShareName> Over { get; private set; } = ImmutableHashSet<ShareName>.Empty;

    /// <summary>How often it was said, and how many processes were ended.</summary>
    public (long Reported, long Killed) Counts { get; private set; }

    /// <summary>What the last look found, put here before the moment is told.</summary>
    public ImmutableArray<ProcessFound> Found { get; set; } = [];

    /// <summary>Judges a moment.</summary>
    internal async Task Judge(NodeMoment moment)
    {
        (known, var found) = ExcessWatch.Next(known, moment);
        Over = known.Where(k => k.Value.Told).Select(k => k.Key).ToHashSet();
        foreach (var excess in found)
        {
            var ended = options.Observing.OnExcess is OnExcess.Kill ? EndLargest(excess.Share) : null;
            if (excess.IsNew)
                await Tell(excess.Share, ended);
        }
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(Follow, time, log, stoppingToken);

    private async Task Follow(CancellationToken stoppingToken)
    {
        while (true)
        {
            var (moment, next) = readings.Watch();
            if (moment is not null)
                await Judge(moment);
            await next.WaitAsync(stoppingToken);
        }
    }

    private async Task Tell(ShareReading share, string? ended)
    {
        Counts = Counts with { Reported = Counts.Reported + 1 };
        var sentence = string.Create(
            CultureInfo.InvariantCulture,
            $"Container {share.Container} holds {share.DriverBytes / MiB:0} MiB of the card {share.DeviceUuid}, which is more than its limit of {share.LimitBytes / MiB:0} MiB, by the driver's count. {ended ?? "Nothing was ended"}.");
        LogExcess(share.Namespace, share.Pod, share.PodUid, sentence);
        if (pods.Find(share.PodUid) is { } pod)
            await complaints.Tell(pod, sentence, Reason);
    }

    // Of processes that the kernel says are in this very container.
    private string EndLargest(ShareReading share)
    {
        var largest = Found
            .Where(p => p.DeviceUuid == share.DeviceUuid && p.Container.PodUid == share.PodUid && p.Container.Name == share.Container)
            .Where(p => p.Owner is { } owner && owner.PodUid == share.PodUid && owner.ContainerId == p.Container.RuntimeId && p.Pid > 1 && p.Pid != Environment.ProcessId)
            .OrderByDescending(p => p.Bytes).ThenByDescending(p => p.Pid).FirstOrDefault();
        if (largest is null)
            return "None of its processes is certain to be its own, so none was ended";
        // The process stands still for us: whatever the pid means by now, the signal goes to whom it was checked for.
        if (!Posix.Kill(largest.Pid, () => processes.StartTicks(largest.Pid) == largest.StartTicks && processes.OwnerNow(largest.Pid) == largest.Owner))
            return $"Its process {largest.Pid} was gone before it was ended";
        Counts = Counts with { Killed = Counts.Killed + 1 };
        LogKilled(share.Namespace, share.Pod, share.Container, largest.Pid, (largest.Bytes ?? 0) / MiB);
        return $"Its process {largest.Pid} was ended";
    }

    [LoggerMessage(LogLevel.Warning, "Pod {Namespace}/{Pod} ({PodUid}): {Sentence}")]
    private partial void LogExcess(string @namespace, string pod, string podUid, string sentence);

    [LoggerMessage(LogLevel.Warning, "Pod {Namespace}/{Pod}, container {Container}: process {Pid} was ended for the limit's sake; it held {MiB} MiB")]
    private partial void LogKilled(string @namespace, string pod, string container, int pid, double miB);
}
