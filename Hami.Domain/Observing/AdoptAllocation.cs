using Hami.Domain.Ledger;

namespace Hami.Domain.Observing;

/// <summary>A pod runs on a node with shares that HAMi gave it: count them.</summary>
/// <param name="AllocationId">Id of the allocation should it be adopted.</param>
/// <param name="IsAttached">True when the pod has its devices already.</param>
/// <param name="Owner">What the pod belongs to; null for a pod of its own.</param>
public sealed record AdoptAllocation(Guid AllocationId, string PodUid, string Namespace, string Pod, string Node, ForeignShares Found, bool IsAttached, WorkloadOwner? Owner = null);

public static class AdoptAllocationDecider
{
    public const string NothingToAdopt = "NothingToAdopt";

    /// <summary>It is not asked whether there is room: the pod has the shares, whatever else is on the cards.</summary>
    public static Verdict<NodeEvent> Decide(AdoptAllocation command, ClusterLedger cluster)
    {
        if (cluster.LiveByPod.ContainsKey(command.PodUid) || command.Found.Shares.Count == 0)
            return Verdict<NodeEvent>.Nothing;
        var (taken, left) = ForeignBounds.Of(command.Found, cluster.Node(command.Node).Cards);
        if (taken.Count == 0)
            return new Refusal(NothingToAdopt, left);
        return new NodeEvent.AllocationAdopted(
            command.AllocationId, command.PodUid, command.Namespace, command.Pod, command.Node, command.Found.Asks.Count, taken,
            left.Length == 0 ? command.Found.Source : $"{command.Found.Source}; left out: {left}", command.IsAttached, command.Owner);
    }
}
