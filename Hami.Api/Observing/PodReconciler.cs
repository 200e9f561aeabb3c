using Hami.Api.Binding;
using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Domain.Allocating;
using Hami.Domain.Binding;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Domain.Releasing;
using k8s.Models;

namespace Hami.Api.Observing;

/// <summary>
/// Brings the ledger and what is seen of a pod together. It looks at the state, not at the change, so it may be asked twice,
/// late or after a failure, and does only what is still to be done.
/// </summary>
internal sealed partial class PodReconciler(
    Journal journal, SeenPods pods, DuePods due, ClusterView view, WaitingPods waiting, PodBinder binder, Settling settling, Adoption adoption,
    NvidiaConfig nvidia, TimeProvider time, ILogger<PodReconciler> logger)
    : BackgroundService
{
    private const int Workers = 32;

    private readonly KeyedWork _work = new(Workers, time);

    public void Seen(SeenPod pod)
    {
        pods.See(pod);
        // Most pods of a cluster are none of ours.
        if (journal.Ledger.LiveByPod.ContainsKey(pod.Uid) || pod.AllocationId.Length > 0 || adoption.Wants(pod) || (pod.IsTerminal && IsWaiting(pod.Uid)))
            due.Add(pod.Uid);
    }

    public void Gone(string podUid)
    {
        pods.Forget(podUid);
        waiting.Forget(podUid);
        adoption.Forget(podUid);
        view.DropReservation(podUid);
        if (journal.Ledger.LiveByPod.ContainsKey(podUid) || IsWaiting(podUid))
            due.Add(podUid);
    }

    /// <summary>Compares the whole ledger with a complete list of pods; returns when all is settled, but for pods with a fault of their own.</summary>
    public async Task ListedAsync(IReadOnlyCollection<SeenPod> listed, CancellationToken cancellationToken)
    {
        pods.Replace(listed);
        var ledger = journal.Ledger;
        adoption.Listed(listed);
        var uids = ledger.LiveByPod.Keys.Concat(ledger.Waiting.Keys).Concat(listed.Where(adoption.Wants).Select(p => p.Uid)).Distinct(StringComparer.Ordinal);
        await Task.WhenAll(uids.Select(async uid =>
        {
            await UntilReconciledAsync(uid, cancellationToken);
            // Placed and not bound: the process that was at it is gone, or has lost the answer.
            if (journal.Ledger.AllocationOf(uid) is { Phase: AllocationPhase.Placed })
                await settling.UntilSettledAsync(uid, cancellationToken);
        }));
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(FollowAsync, time, logger, stoppingToken);

    private async Task FollowAsync(CancellationToken stoppingToken)
    {
        await foreach (var uid in due.ReadAllAsync(stoppingToken))
            _ = UntilReconciledAsync(uid, stoppingToken);
    }

    private bool IsWaiting(string podUid) => journal.Ledger.Waiting.ContainsKey(podUid);

    private Task UntilReconciledAsync(string podUid, CancellationToken cancellationToken) => _work.DoAsync(
        podUid, token => ReconcileAsync(podUid, token), (pause, e) => LogNotReconciled(logger, podUid, pause.TotalSeconds, e), cancellationToken);

    private async Task ReconcileAsync(string podUid, CancellationToken cancellationToken)
    {
        if (pods.Find(podUid) is { } foreign && adoption.Wants(foreign))
            await adoption.AdoptAsync(foreign, cancellationToken);
        if (journal.Ledger.AllocationOf(podUid) is { } allocation)
        {
            var pod = await SeenOrAskedAsync(podUid, allocation.Namespace, allocation.Pod, cancellationToken);
            await HoldingAsync(allocation, pod, cancellationToken);
        }
        else if (journal.Ledger.Waiting.TryGetValue(podUid, out var refused)
            && await SeenOrAskedAsync(podUid, refused.Refusal.Namespace, refused.Refusal.Pod, cancellationToken) is null or { IsTerminal: true })
        {
            waiting.Forget(podUid);
            await journal.DecideAsync(Streams.Pod(podUid), ledger => WithdrawWorkloadDecider.Decide(new(podUid), ledger), cancellationToken);
        }
    }

    private async Task HoldingAsync(Allocation allocation, SeenPod? pod, CancellationToken cancellationToken)
    {
        var (uid, id) = (allocation.PodUid, allocation.Id);
        if (!journal.Ledger.LiveByPod.TryGetValue(uid, out var live))
            return;
        var stream = Streams.Node(live.Node);
        if (pod is null or { IsTerminal: true })
        {
            // A kubelet that ends a deleted pod reports how its containers took it, mostly as a failure; the cause is the deletion.
            var reason = pod is null or { IsBeingDeleted: true } ? ReleaseReason.Deleted
                : pod.Phase == "Succeeded" ? ReleaseReason.Completed : ReleaseReason.Failed;
            await DecideAsync(stream, ledger => ReleaseAllocationDecider.Decide(new(uid, id, reason), ledger), cancellationToken);
        }
        else if (pod.Node.Length > 0 && (allocation.IsAdopted || pod.AllocationId == id.ToString()))
        {
            if (pod.BindPhase == BindPhases.Success)
                await DecideAsync(stream, ledger => ConfirmAttachedDecider.Decide(new(uid, id), ledger), cancellationToken);
            else
                await DecideAsync(stream, ledger => ConfirmBoundDecider.Decide(new(uid, id), ledger), cancellationToken);
            if (pod.InitsEnded)
                await DecideAsync(stream, ledger => ShrinkAllocationDecider.Decide(new(uid, id), ledger), cancellationToken);
        }
    }

    /// <summary>Most changes of a pod change nothing for the ledger; those do not take a turn in the journal.</summary>
    private async Task DecideAsync(string stream, Func<ClusterLedger, Verdict<NodeEvent>> decide, CancellationToken cancellationToken)
    {
        if (decide(journal.Ledger).Events.Count > 0)
            await journal.DecideAsync(stream, decide, cancellationToken);
    }

    /// <summary>The pod as last seen, or null when it is gone; what the watch does not know, perhaps not yet, the API server is asked for.</summary>
    private async Task<SeenPod?> SeenOrAskedAsync(string podUid, string podNamespace, string name, CancellationToken cancellationToken)
    {
        if (pods.Find(podUid) is { } seen)
            return seen;
        var pod = await binder.FindAsync(podNamespace, name, cancellationToken);
        return pod is not null && pod.Uid() == podUid ? SeenPod.Of(pod, nvidia) : null;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Pod {PodUid} could not be reconciled yet; trying again in {Seconds} s.")]
    private static partial void LogNotReconciled(ILogger logger, string podUid, double seconds, Exception exception);
}
