using Hami.Domain.Protocol;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Cluster;

namespace Hami.NodeAgent.Allocating;

/// <summary>Finishes what an earlier run of this agent left: pods that have all their devices but are still marked as allocating.</summary>
internal sealed class PhaseRecovery(PodsOnNode watch, PodsWithShares pods, Checkpoint checkpoint, PhaseWriter phases, TimeProvider time, ILogger<PhaseRecovery> log)
    : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(Recover, time, log, stoppingToken);

    private async Task Recover(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(10), time);
        do
        {
            if (!watch.Synced)
                continue;
            var open = pods.Watched.Where(p => p is { Phase: BindPhases.Allocating, Over: false, Fault: null } && p.Shares.Any()).ToList();
            if (open.Count == 0 || checkpoint.Read() is not { } entries)
                continue;
            var held = entries.Select(e => (e.PodUid, e.Container)).ToHashSet();
            foreach (var pod in open.Where(p => p.Shares.All(c => held.Contains((p.Uid, c.Name)))))
                await Task.WhenAny(phases.Succeeded(pod), Task.Delay(TimeSpan.FromSeconds(2), time, stoppingToken));
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }
}
