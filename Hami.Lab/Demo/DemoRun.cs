using System.Diagnostics;
using Hami.Lab.Cluster;

namespace Hami.Lab.Demo;

/// <summary>The article's workloads, from YAML to a limited process and back to free cards.</summary>
internal sealed class DemoRun(LabCluster cluster, Action<string> progress)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan SchedulersPatience = TimeSpan.FromSeconds(30);
    private readonly PodsOfTheDemo _pods = new(cluster);

    public async Task<DemoReport> RunAsync(Stopwatch since, CancellationToken ct)
    {
        progress("Applying deploy/examples");
        // A pod that names no mode may be given an instance, too; these are to get shares of cards.
        await _pods.CordonMigNodesAsync(cordoned: true, ct);
        foreach (var workload in Workloads.OnCards)
            await _pods.ApplyAsync(workload, ct);

        progress("Waiting until they run, or say why not");
        if (!await UntilAsync(_pods.AnySchedulerLooksAsync, SchedulersPatience, ct))
        {
            throw new InvalidOperationException(
                $"No scheduler has looked at the pods in {SchedulersPatience.TotalSeconds:F0} s; their schedulerName is {cluster.SchedulerName}. Start the cluster's kube-scheduler with the configuration that ./hami scheduler-config prints.");
        }

        await UntilAsync(now => SettledAsync(Workloads.OnCards, now), Patience, ct);

        progress("The same for MIG instances");
        await _pods.CordonMigNodesAsync(cordoned: false, ct);
        foreach (var workload in Workloads.OnInstances)
            await _pods.ApplyAsync(workload, ct);
        await UntilAsync(now => SettledAsync(Workloads.OnInstances, now), Patience, ct);

        progress("Asking a process in each container what it sees, and for more than it may have");
        var seen = await _pods.ObserveAsync(ct);
        var trouble = SharingCheck.Complaints(seen.Values.SelectMany(observation => observation.Shares), cluster.Nodes).ToList();

        progress("Deleting them");
        foreach (var workload in Workloads.InOrderOfApplying)
            await _pods.DeleteAsync(workload, ct);
        if (!await UntilAsync(EverythingIsFreeAsync, Patience, ct))
            trouble.Add(await WhatIsNotFreeAsync(ct));

        var workloads = Workloads.All.Select(workload => WorkloadReport.Of(workload, seen.GetValueOrDefault(workload.Name) ?? new(), cluster.Nodes)).ToList();
        return new DemoReport(
            trouble.Count == 0 && workloads.TrueForAll(workload => workload.Ok),
            Math.Round(since.Elapsed.TotalSeconds, 1),
            workloads,
            await cluster.ControlPlane.EventCountAsync(ct))
        {
            Reason = trouble.Count == 0 ? null : string.Join(' ', trouble),
        };
    }

    private async Task<bool> SettledAsync(IEnumerable<Workload> workloads, CancellationToken ct)
    {
        foreach (var workload in workloads)
            if (!await _pods.HasSettledAsync(workload, ct))
                return false;
        return true;
    }

    private async Task<bool> EverythingIsFreeAsync(CancellationToken ct) =>
        (await cluster.ControlPlane.LiveAllocationsAsync(ct)).Count == 0
        && (await cluster.ControlPlane.PendingPodsAsync(ct)).Count == 0
        && (await cluster.ControlPlane.NodesAsync(ct)).All(node => node.Devices.All(device => device.IsFree))
        && (await _pods.LeftAsync(ct)).Count == 0
        && !LeftInstances().Any();

    private async Task<string> WhatIsNotFreeAsync(CancellationToken ct)
    {
        var live = (await cluster.ControlPlane.LiveAllocationsAsync(ct)).Select(allocation => allocation.Pod);
        var taken = (await cluster.ControlPlane.NodesAsync(ct)).SelectMany(node => node.Devices).Where(device => !device.IsFree).Select(device => device.Uuid);
        var waiting = (await cluster.ControlPlane.PendingPodsAsync(ct)).Select(pending => pending.Pod);
        var left = await _pods.LeftAsync(ct);
        return $"After all pods were deleted something is left: allocations of {Named(live)}, shares of cards {Named(taken)}, waiting pods {Named(waiting)}, pods {Named(left)}, MIG instances {Named(LeftInstances())}.";
    }

    private IEnumerable<string> LeftInstances() => cluster.Nodes.SelectMany(node => cluster.MigInstances(node.Name));

    private static string Named(IEnumerable<string> names) => string.Join(", ", names) is { Length: > 0 } list ? list : "none";

    // False when patience ran out: the checks then say what is missing.
    private static async Task<bool> UntilAsync(Func<CancellationToken, Task<bool>> holds, TimeSpan patience, CancellationToken ct)
    {
        var since = Stopwatch.StartNew();
        while (!await holds(ct))
        {
            if (since.Elapsed > patience)
                return false;
            await Task.Delay(100, ct);
        }

        return true;
    }
}
