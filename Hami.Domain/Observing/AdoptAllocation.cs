using Hami.Domain.Ledger;

namespace Hami.Domain.Observing;

/// <summary>A pod runs on a node with shares that HAMi gave it: count them.</summary>
/// <param name="AllocationId">Id of the allocation should it be adopted.</param>
/// <param name="IsAttached">True when the pod has its devices already.</param>
public sealed record AdoptAllocation(Guid AllocationId, string PodUid, string Namespace, string Pod, string Node, ForeignShares Found, bool IsAttached);

public static class AdoptAllocationDecider
{
    /// <summary>It is not asked whether there is room: the pod has the shares, whatever else is on the cards.</summary>
    public static Verdict<NodeEvent> Decide(AdoptAllocation command, ClusterLedger cluster) =>
        cluster.LiveByPod.ContainsKey(command.PodUid) || command.Found.Shares.Count == 0
            ? Verdict<NodeEvent>.Nothing
            : new NodeEvent.AllocationAdopted(
                command.AllocationId, command.PodUid, command.Namespace, command.Pod, command.Node, command.Found.Containers,
                command.Found.Shares, command.Found.Source, command.IsAttached);
}
