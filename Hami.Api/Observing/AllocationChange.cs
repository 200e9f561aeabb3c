using Hami.Api.Asking;
using Hami.Domain.Ledger;

namespace Hami.Api.Observing;

/// <summary>The steps of an allocation.</summary>
public enum AllocationStep
{
    /// <summary>A node and its cards were decided.</summary>
    Placed,

    /// <summary>A pod that another scheduler placed was counted.</summary>
    Adopted,

    /// <summary>The API server has the pod on its node.</summary>
    Bound,

    /// <summary>The node agent handed out the devices.</summary>
    Attached,

    /// <summary>What only init containers needed was given back.</summary>
    Shrunk,

    /// <summary>The shares were given back.</summary>
    Released,
}

/// <summary>A step of an allocation.</summary>
/// <param name="Position">Position in the log.</param>
/// <param name="At">When it happened.</param>
/// <param name="Step">What happened.</param>
/// <param name="AllocationId">Id of the allocation.</param>
/// <param name="PodUid">UID of the pod; null only where the read models have not caught up with what a resumed subscription had missed, as the four behind it.</param>
/// <param name="Namespace">Its namespace.</param>
/// <param name="Pod">Its name.</param>
/// <param name="Node">Name of the node.</param>
/// <param name="Shares">The parts of cards, as they were placed.</param>
/// <param name="ReleaseReason">Why they were given back; null for the other steps.</param>
public sealed record AllocationChange(
    long Position, DateTimeOffset At, AllocationStep Step, Guid AllocationId, string? PodUid, string? Namespace, string? Pod, string Node,
    IReadOnlyList<Share>? Shares, ReleaseReason? ReleaseReason) : IPositioned
{
    long? IPositioned.ResumeAfter() => Position;

    internal static IEnumerable<AllocationChange> Of(Change change, Known known)
    {
        var seen = new Dictionary<Guid, Placed>();
        foreach (var happened in change.Recorded)
        {
            if (AllocationIds.Of(happened.Event) is not { } id || StepOf(happened.Event) is not { } step)
                continue;
            var node = Streams.NodeOf(happened.Stream)!;
            var placed = Placed.Of(happened.Event) ?? seen.GetValueOrDefault(id) ?? Placed.Of(change.Before, node, id) ?? Placed.Of(change.After, node, id)
                ?? known.Allocations.GetValueOrDefault(id);
            if (placed is not null)
                seen[id] = placed;
            yield return new(
                happened.Position, happened.At, step, id, placed?.PodUid, placed?.Namespace, placed?.Pod, node, placed?.Shares,
                (happened.Event as NodeEvent.AllocationReleased)?.Reason);
        }
    }

    private static AllocationStep? StepOf(object happened) => happened switch
    {
        NodeEvent.AllocationPlaced => AllocationStep.Placed,
        NodeEvent.AllocationAdopted => AllocationStep.Adopted,
        NodeEvent.AllocationBound => AllocationStep.Bound,
        NodeEvent.AllocationAttached => AllocationStep.Attached,
        NodeEvent.AllocationShrunk => AllocationStep.Shrunk,
        NodeEvent.AllocationReleased => AllocationStep.Released,
        _ => null,
    };
}
