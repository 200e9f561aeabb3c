using Hami.Domain.Ledger;

namespace Hami.Domain.Releasing;

/// <summary>Give back what a pod held.</summary>
/// <param name="AllocationId">The allocation meant; a newer one of the same pod is left alone.</param>
public sealed record ReleaseAllocation(string PodUid, Guid AllocationId, ReleaseReason Reason);

public static class ReleaseAllocationDecider
{
    public static Verdict<NodeEvent> Decide(ReleaseAllocation command, ClusterLedger cluster) =>
        cluster.LiveByPod.TryGetValue(command.PodUid, out var live) && live.Id == command.AllocationId
            ? new NodeEvent.AllocationReleased(live.Id, command.PodUid, command.Reason)
            : Verdict<NodeEvent>.Nothing;
}
