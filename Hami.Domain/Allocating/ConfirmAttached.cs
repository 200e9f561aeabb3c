using Hami.Domain.Ledger;

namespace Hami.Domain.Allocating;

/// <summary>The node agent said <c>hami.io/bind-phase: success</c>.</summary>
public sealed record ConfirmAttached(string PodUid, Guid AllocationId);

public static class ConfirmAttachedDecider
{
    /// <summary>A phase that was not seen is made up for, so that every allocation tells its steps in order.</summary>
    public static Verdict<NodeEvent> Decide(ConfirmAttached command, ClusterLedger cluster)
    {
        if (cluster.AllocationOf(command.PodUid) is not { } allocation || allocation.Id != command.AllocationId)
            return Verdict<NodeEvent>.Nothing;
        return allocation.Phase switch
        {
            AllocationPhase.Placed => new([new NodeEvent.AllocationBound(allocation.Id), new NodeEvent.AllocationAttached(allocation.Id)], null),
            AllocationPhase.Bound => new NodeEvent.AllocationAttached(allocation.Id),
            _ => Verdict<NodeEvent>.Nothing,
        };
    }
}
