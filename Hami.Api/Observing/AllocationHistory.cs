using Hami.Domain.Ledger;
using JasperFx.Events;
using Marten.Events.Projections;
using static Hami.Domain.Ledger.NodeEvent;

namespace Hami.Api.Observing;

/// <summary>One allocation from its decision to its end.</summary>
public sealed record AllocationRecord(
    Guid Id, string PodUid, string Namespace, string Pod, string Node, IReadOnlyList<Share> Shares, PlacementReason? Because, DateTimeOffset PlacedAt)
{
    /// <summary>Where the shares were read when another scheduler placed the pod; null when we did.</summary>
    public string? AdoptedFrom { get; init; }

    /// <summary>When the API server had the pod on its node; null before.</summary>
    public DateTimeOffset? BoundAt { get; init; }

    /// <summary>When the node agent had handed out the devices; null before.</summary>
    public DateTimeOffset? AttachedAt { get; init; }

    /// <summary>When what only its init containers needed was given back; null before, or when they needed no more.</summary>
    public DateTimeOffset? ShrunkAt { get; init; }

    /// <summary>When the shares were given back; null while they are held.</summary>
    public DateTimeOffset? ReleasedAt { get; init; }

    /// <summary>Why they were given back; null while they are held.</summary>
    public ReleaseReason? ReleaseReason { get; init; }
}

/// <summary>One row per allocation, live and released.</summary>
public sealed partial class AllocationHistory : MultiStreamProjection<AllocationRecord, Guid>
{
    public AllocationHistory()
    {
        Identity<AllocationPlaced>(e => e.AllocationId);
        Identity<AllocationAdopted>(e => e.AllocationId);
        Identity<AllocationBound>(e => e.AllocationId);
        Identity<AllocationAttached>(e => e.AllocationId);
        Identity<AllocationShrunk>(e => e.AllocationId);
        Identity<AllocationReleased>(e => e.AllocationId);
    }

    public static AllocationRecord Create(IEvent<AllocationPlaced> e) => new(
        e.Data.AllocationId, e.Data.PodUid, e.Data.Namespace, e.Data.Pod, e.Data.Node, e.Data.Shares, e.Data.Because, e.Timestamp);

    public static AllocationRecord Create(IEvent<AllocationAdopted> e) => new(
        e.Data.AllocationId, e.Data.PodUid, e.Data.Namespace, e.Data.Pod, e.Data.Node, e.Data.Shares, null, e.Timestamp)
    {
        AdoptedFrom = e.Data.Source,
        BoundAt = e.Timestamp,
        AttachedAt = e.Data.IsAttached ? e.Timestamp : null,
    };

    public static AllocationRecord Apply(IEvent<AllocationBound> e, AllocationRecord record) => record with { BoundAt = e.Timestamp };

    public static AllocationRecord Apply(IEvent<AllocationAttached> e, AllocationRecord record) => record with { AttachedAt = e.Timestamp };

    public static AllocationRecord Apply(IEvent<AllocationShrunk> e, AllocationRecord record) => record with { ShrunkAt = e.Timestamp };

    public static AllocationRecord Apply(IEvent<AllocationReleased> e, AllocationRecord record) =>
        record with { ReleasedAt = e.Timestamp, ReleaseReason = e.Data.Reason };
}
