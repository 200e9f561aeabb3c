using System.Collections.Immutable;
using Hami.Domain.Protocol;
using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Cluster;

namespace Hami.NodeAgent.Partitioning;

/// <summary>The MIG instances of this node's pods: made when the kubelet asks, adopted after a restart, destroyed when their pods are over.</summary>
internal sealed partial class MigInstances(
    IMigCards cards, IMigBook book, Partitioner partitioner, PodsOnNode watch, PodsWithShares shares, HandedOut handedOut, MigRecords records, MigHandedDevices handed,
    TimeProvider time, ILogger<MigInstances> log) : BackgroundService
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FullLook = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    // A card takes about a second for an instance; a driver that hangs must not hold the node's pod loop for good.
    private static readonly TimeSpan PatienceWithNvml = TimeSpan.FromSeconds(30);

    // The last process of a pod that is over may still be on its way out.
    private static readonly TimeSpan PatienceWithTheLast = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim gate = new(1, 1);
    private readonly Dictionary<string, (int Failures, DateTimeOffset Next)> unsettled = new(StringComparer.Ordinal);
    private ImmutableHashSet<string> gone = [];

    /// <summary>Makes the instances that the scheduler reserved for a container; asked again, they are the same.</summary>
    /// <returns>Their UUIDs, in order of the container's devices.</returns>
    /// <exception cref="MigRefusal">They cannot be had, and nothing of them is left.</exception>
    public async Task<IReadOnlyList<string>> Make(PodOnNode pod, ContainerShare container, CancellationToken cancellation)
    {
        if (!cards.Exist)
            throw new MigRefusal($"Pod {pod.FullName} was given a MIG instance, but the cards of this node are simulated (--simulate) and cannot be cut: that needs NVML.");
        Check(pod, container);
        var begun = time.GetTimestamp();
        while (true)
        {
            try
            {
                var made = await Alone(() => partitioner.Make(pod.Mig, container.Name), cancellation);
                return [.. made.Select(m => m.Uuid!)];
            }
            catch (MigRefusal e) when (e.InTheWay is { } other && time.GetElapsedTime(begun) < PatienceWithTheLast)
            {
                if (!await MakeRoom(other, cancellation))
                    throw;
            }
            await Task.Delay(TimeSpan.FromMilliseconds(100), time, cancellation);
        }
    }

    /// <summary>Sees before a container starts, again or for the first time, that its instances are there: a reset of the card or a boot of the node takes them away.</summary>
    /// <exception cref="MigRefusal">They are not, or not the same.</exception>
    public async Task See(PodOnNode pod, ContainerShare container, CancellationToken cancellation)
    {
        MigReservation[] reserved = [.. pod.Mig.Reservations.Where(r => r.Container == container.Name)];
        // After its end an init container's instance is the scheduler's again.
        if (!cards.Exist || (pod.Mig.InitsEnded && reserved.All(r => r.EndsBeforeApps)))
            return;
        var given = reserved.Select(r => r.Record.MigUuid ?? book.Made.FirstOrDefault(m => m.PodUid == pod.Uid && m.Seat.Is(pod.Mig.SeatOf(r)))?.Uuid).ToList();
        var there = await Make(pod, container, cancellation);
        if (given.Index().FirstOrDefault(g => g.Item is not null && g.Item != there[g.Index]) is { Item: { } lost } at)
            throw new MigRefusal($"Container {container.Name} of pod {pod.FullName} was given the MIG device {lost}, which is gone since its card was reset or its node started anew; "
                + $"in its place is {there[at.Index]}, of which the container cannot be told any more. Delete the pod, it will be placed anew.");
    }

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        watch.Gone += IsGone;
        return base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        watch.Gone -= IsGone;
        await base.StopAsync(cancellationToken);
    }

    public override void Dispose()
    {
        base.Dispose();
        gate.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(Keep, time, log, stoppingToken);

    private async Task Keep(CancellationToken stoppingToken)
    {
        if (!cards.Exist)
            return;
        if (!handed.NeedOnlyUuids)
            Show();
        var fullAt = DateTimeOffset.MinValue;
        using var timer = new PeriodicTimer(Look, time);
        do
        {
            // Who never heard of any pod would take all of them for gone.
            if (!watch.Synced)
                continue;
            var now = time.GetUtcNow();
            var full = now - fullAt >= FullLook;
            if (full)
                fullAt = now;
            if (full && !handed.NeedOnlyUuids)
                Show();
            await FindGone(stoppingToken);
            var pods = Pods(shares.Watched);
            foreach (var card in ToSettle(pods, full, now))
                await Settle(card, pods, stoppingToken);
            await records.Write(pods, stoppingToken);
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    // Only what is reserved as HAMi reserves it: one instance for each of the container's devices, on the same cards.
    private static void Check(PodOnNode pod, ContainerShare container)
    {
        MigReservation[] reserved = [.. pod.Mig.Reservations.Where(r => r.Container == container.Name)];
        if (reserved.Length != container.Devices.Count || reserved.Index().Any(r => r.Item.Record.DeviceIndex != r.Index))
            throw new MigRefusal($"Container {container.Name} of pod {pod.FullName} was given {container.Devices.Count} devices, but its annotation {HamiKeys.MigAllocations} names {reserved.Length} MIG instances for it; create the pod again.");
        if (reserved.Index().FirstOrDefault(r => r.Item.Seat.Card != container.Devices[r.Index].Uuid) is { Item: { } other } at)
            throw new MigRefusal($"Container {container.Name} of pod {pod.FullName} was given card {container.Devices[at.Index].Uuid}, but a MIG instance of card {other.Seat.Card}; create the pod again.");
    }

    private IReadOnlyList<MigPod> Pods(IReadOnlyList<PodOnNode> pods) =>
        [.. pods.Select(p => p.Mig with { Over = p.Mig.Over || handedOut.Refused.Contains(p.Uid) })];

    private void IsGone(string podUid)
    {
        if (book.Made.Any(m => m.PodUid == podUid))
            ImmutableInterlocked.Update(ref gone, (set, uid) => set.Add(uid), podUid);
    }

    // A pod that the watch does not have may be new to it; only the API server knows.
    private async Task FindGone(CancellationToken stopping)
    {
        string[] missing = [.. book.Made.Select(m => m.PodUid).Distinct(StringComparer.Ordinal).Where(uid => watch.Find(uid) is null && !gone.Contains(uid))];
        if (missing.Length > 0 && await shares.Read(stopping) is { } now)
            gone = gone.Union(missing.Except(now.Select(p => p.Uid), StringComparer.Ordinal));
        gone = gone.Intersect(book.Made.Select(m => m.PodUid));
    }

    private List<string> ToSettle(IReadOnlyList<MigPod> pods, bool full, DateTimeOffset now)
    {
        var due = book.Made.Where(m => Settlement.Released(m, pods, gone) is not null).Select(m => m.Seat.Card);
        if (full)
            due = due.Concat(book.Made.Select(m => m.Seat.Card)).Concat(Cut());
        return [.. due.Distinct(StringComparer.Ordinal).Where(card => !unsettled.TryGetValue(card, out var wait) || wait.Next <= now)];
    }

    private IReadOnlyList<string> Cut()
    {
        try
        {
            return cards.Cut();
        }
        catch (Plumbing.Nvml.NvmlException e)
        {
            LogAway(e.Message);
            return [];
        }
    }

    // The runtime's files are to know them before a container starts again, and to forget those that are gone.
    private void Show()
    {
        try
        {
            handed.Look();
        }
        catch (MigRefusal e)
        {
            LogUnshown(e.Message);
        }
    }

    private async Task Settle(string card, IReadOnlyList<MigPod> pods, CancellationToken cancellation)
    {
        if (await Alone(() => partitioner.Settle(card, pods, gone), cancellation))
        {
            unsettled.Remove(card);
            return;
        }
        var failures = unsettled.GetValueOrDefault(card).Failures;
        unsettled[card] = (failures + 1, time.GetUtcNow() + Outage.BackOff(failures, Look, LongestPause));
    }

    /// <summary>Destroys another pod's instance if that pod is over by now, whatever the watch has heard.</summary>
    /// <returns>False when the pod still needs it.</returns>
    private async Task<bool> MakeRoom(MadeInstance other, CancellationToken cancellation)
    {
        var fresh = await shares.Read(cancellation);
        var pods = Pods(fresh ?? shares.Watched);
        if (fresh is not null && fresh.All(p => p.Uid != other.PodUid))
            ImmutableInterlocked.Update(ref gone, (set, uid) => set.Add(uid), other.PodUid);
        if (Settlement.Released(other, pods, gone) is null)
            return false;
        await Alone(() => partitioner.Settle(other.Seat.Card, pods, gone), cancellation);
        return true;
    }

    private async Task<T> Alone<T>(Func<T> work, CancellationToken cancellation)
    {
        try
        {
            if (!await gate.WaitAsync(PatienceWithNvml, cancellation))
                throw new TimeoutException();
            var working = Task.Run(
                async () =>
                {
                    try
                    {
                        using var mine = await book.Enter(cancellation);
                        return work();
                    }
                    finally
                    {
                        gate.Release();
                    }
                },
                CancellationToken.None);
            return await working.WaitAsync(PatienceWithNvml, time, cancellation);
        }
        catch (TimeoutException e)
        {
            throw new MigRefusal($"NVML has not answered for {PatienceWithNvml.TotalSeconds} s; see to the node's driver, then create the pod again.", cause: e);
        }
    }

    [LoggerMessage(LogLevel.Warning, "{Sentence}")]
    private partial void LogUnshown(string sentence);

    [LoggerMessage(LogLevel.Warning, "Which cards are in MIG mode cannot be told: {Reason}")]
    private partial void LogAway(string reason);
}
