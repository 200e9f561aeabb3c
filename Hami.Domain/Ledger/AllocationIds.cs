using static Hami.Domain.Ledger.NodeEvent;

namespace Hami.Domain.Ledger;

/// <summary>Which allocation an event tells of; stored beside every event, so that one can be followed without reading bodies.</summary>
public static class AllocationIds
{
    /// <summary>The allocation's id, or null for an event that tells of none.</summary>
    public static Guid? Of(object happened) => happened switch
    {
        AllocationPlaced e => e.AllocationId,
        AllocationAdopted e => e.AllocationId,
        AllocationBound e => e.AllocationId,
        AllocationAttached e => e.AllocationId,
        AllocationShrunk e => e.AllocationId,
        AllocationReleased e => e.AllocationId,
        _ => null,
    };
}
