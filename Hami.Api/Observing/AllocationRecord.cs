using Hami.Domain.Ledger;
using Hami.Domain.Reading;

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

    internal static AllocationRecord Of(AllocationRow row, PlacementReason? because) =>
        new(row.Id, row.PodUid, row.Namespace, row.Pod, row.Node, row.Shares, because, row.PlacedAt)
        {
            AdoptedFrom = row.AdoptedFrom,
            BoundAt = row.BoundAt,
            AttachedAt = row.AttachedAt,
            ShrunkAt = row.ShrunkAt,
            ReleasedAt = row.ReleasedAt,
            ReleaseReason = row.ReleaseReason,
        };
}
