using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Cluster;

namespace Hami.NodeAgent.Releasing;

/// <summary>Removes the containers' directories of a pod once its object is gone, never while the API server has not said so.</summary>
internal sealed partial class DirectorySweep(
    PodsOnNode pods, ContainerDirectories directories, TimeProvider time, ILogger<DirectorySweep> log) : BackgroundService
{
    // As HAMi: a directory can be older than our knowledge of its pod.
    private static readonly TimeSpan Grace = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        pods.Gone += Remove;
        return base.StartAsync(cancellationToken);
    }

    public override Task StopAsync(CancellationToken cancellationToken)
    {
        pods.Gone -= Remove;
        return base.StopAsync(cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(Sweep, time, log, stoppingToken);

    private async Task Sweep(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            await Once(stoppingToken);
    }

    internal async Task Once(CancellationToken stopping)
    {
        var orphans = directories.Ages(time.GetUtcNow()).Where(d => d.Value > Grace && pods.Find(d.Key) is null).Select(d => d.Key).ToList();
        if (orphans.Count == 0 || !pods.Synced)
            return;
        try
        {
            // Asked anew: a watch whose connection has died in silence does not know a pod that runs.
            var living = (await Bounded.Call(TimeSpan.FromSeconds(30), pods.Read, stopping)).Select(p => p.Pod.Uid).ToHashSet(StringComparer.Ordinal);
            orphans.Where(uid => !living.Contains(uid)).ToList().ForEach(Remove);
        }
        catch (Exception e) when (Outage.Is(e, stopping))
        {
            LogUntold(e.Message);
        }
    }

    internal void Remove(string uid)
    {
        try
        {
            if (directories.Remove(uid) is > 0 and var removed)
                LogRemoved(uid, removed);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A dying container may still write; the sweep comes again.
            LogKept(uid, e.Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Container directories without a pod are kept until the API server says which pods there are ({Reason})")]
    private partial void LogUntold(string reason);

    [LoggerMessage(LogLevel.Information, "Pod {PodUid} is gone: {Directories} container directories removed")]
    private partial void LogRemoved(string podUid, int directories);

    [LoggerMessage(LogLevel.Warning, "The directories of pod {PodUid} could not be removed yet: {Reason}")]
    private partial void LogKept(string podUid, string reason);
}
