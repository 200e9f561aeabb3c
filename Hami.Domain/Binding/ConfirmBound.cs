using Hami.Domain.Ledger;

namespace Hami.Domain.Binding;

/// <summary>The API server holds the pod on its node with this allocation.</summary>
public sealed record ConfirmBound(string PodUid, Guid AllocationId);

public static class ConfirmBoundDecider
{
    public static Verdict<NodeEvent> Decide(ConfirmBound command, ClusterLedger cluster) =>
        cluster.AllocationOf(command.PodUid) is { Phase: AllocationPhase.Placed } allocation && allocation.Id == command.AllocationId
            ? new NodeEvent.AllocationBound(allocation.Id)
            : Verdict<NodeEvent>.Nothing;
}
