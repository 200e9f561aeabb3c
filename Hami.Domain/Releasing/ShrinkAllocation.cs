using Hami.Domain.Ledger;

namespace Hami.Domain.Releasing;

/// <summary>The pod's init containers have succeeded: give back what only they needed.</summary>
public sealed record ShrinkAllocation(string PodUid, Guid AllocationId);

public static class ShrinkAllocationDecider
{
    /// <summary>Once for each allocation: a sandbox made anew runs its init containers again within what the pod has left.</summary>
    public static Verdict<NodeEvent> Decide(ShrinkAllocation command, ClusterLedger cluster) =>
        cluster.AllocationOf(command.PodUid) is { InitsEnded: false } allocation && allocation.Id == command.AllocationId
        && allocation.Shares.Any(s => s.EndsBeforeApps)
            ? new NodeEvent.AllocationShrunk(allocation.Id, allocation.PodUid)
            : Verdict<NodeEvent>.Nothing;
}
