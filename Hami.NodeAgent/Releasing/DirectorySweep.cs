using Hami.NodeAgent.Plumbing;

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
            Once();
    }

    internal void Once()
    {
        if (!pods.Synced)
            return;
        foreach (var (uid, age) in directories.Ages(time.GetUtcNow()))
            if (age > Grace && pods.Find(uid) is null)
                Remove(uid);
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

    [LoggerMessage(LogLevel.Information, "Pod {PodUid} is gone: {Directories} container directories removed")]
    private partial void LogRemoved(string podUid, int directories);

    [LoggerMessage(LogLevel.Warning, "The directories of pod {PodUid} could not be removed yet: {Reason}")]
    private partial void LogKept(string podUid, string reason);
}
