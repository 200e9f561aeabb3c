using GraphQL;
using Hami.Domain.Ledger;
using Hami.Domain.Reading;

namespace Hami.Api.Observing;

/// <summary>One allocation from its decision to its end.</summary>
public sealed class AllocationRecord
{
    private readonly AllocationRow _row;
    private readonly PlacementReasons _reasons;
    private readonly CardModels _models;

    internal AllocationRecord(AllocationRow row, PlacementReasons reasons, CardModels models)
    {
        (_row, _reasons, _models) = (row, reasons, models);
        reasons.MayBeAskedFor(row.PlacedPosition);
        models.MayBeAskedFor(row.Shares);
    }

    /// <summary>Id of the allocation.</summary>
    public Guid Id => _row.Id;

    /// <summary>UID of the pod.</summary>
    public string PodUid => _row.PodUid;

    /// <summary>Its namespace.</summary>
    public string Namespace => _row.Namespace;

    /// <summary>Its name.</summary>
    public string Pod => _row.Pod;

    /// <summary>Kind of what the pod belongs to, such as <c>Job</c>; null for a pod of its own.</summary>
    public string? OwnerKind => _row.OwnerKind;

    /// <summary>Name of what the pod belongs to; null for a pod of its own.</summary>
    public string? OwnerName => _row.OwnerName;

    /// <summary>Name of the node.</summary>
    public string Node => _row.Node;

    /// <summary>Number of the pod's containers, init containers included.</summary>
    public int Containers => _row.Containers;

    /// <summary>Device memory in MiB as placed, summed over all cards.</summary>
    public long MemoryMiB => _row.MemoryMiB;

    /// <summary>Percent of one card as placed, summed over all cards.</summary>
    public long Cores => _row.Cores;

    /// <summary>The parts of cards, as they were placed.</summary>
    public IReadOnlyList<Share> Shares => _row.Shares;

    /// <summary>Of how many cards it has a part.</summary>
    public int Devices => _row.Shares.Select(s => s.DeviceUuid).Distinct(StringComparer.Ordinal).Count();

    /// <summary>Product names of its cards, each once, by name, as far as they are known.</summary>
    public Task<IReadOnlyList<string>> Types(CancellationToken cancellationToken) => _models.OfAsync(_row.Node, _row.Shares, cancellationToken);

    /// <summary>How far it has come; null once it is given back.</summary>
    public AllocationPhase? Phase =>
        ReleasedAt is not null ? null : AttachedAt is not null ? AllocationPhase.Attached : BoundAt is not null ? AllocationPhase.Bound : AllocationPhase.Placed;

    /// <summary>When it was decided.</summary>
    public DateTimeOffset PlacedAt => _row.PlacedAt;

    /// <summary>Position in the log of the event that placed it.</summary>
    public long PlacedPosition => _row.PlacedPosition;

    /// <summary>When the pod was first refused; null when it never waited.</summary>
    public DateTimeOffset? WaitingSince => _row.WaitingSince;

    /// <summary>Where the shares were read when another scheduler placed the pod; null when we did.</summary>
    public string? AdoptedFrom => _row.AdoptedFrom;

    /// <summary>When the API server had the pod on its node; null before.</summary>
    public DateTimeOffset? BoundAt => _row.BoundAt;

    /// <summary>When the node agent had handed out the devices; null before.</summary>
    public DateTimeOffset? AttachedAt => _row.AttachedAt;

    /// <summary>When what only its init containers needed was given back; null before, or when they needed no more.</summary>
    public DateTimeOffset? ShrunkAt => _row.ShrunkAt;

    /// <summary>When the shares were given back; null while they are held.</summary>
    public DateTimeOffset? ReleasedAt => _row.ReleasedAt;

    /// <summary>Why they were given back; null while they are held.</summary>
    public ReleaseReason? ReleaseReason => _row.ReleaseReason;

    /// <summary>What the API server says of the pod now; null when it is gone, nothing is told of it, or the past is asked for.</summary>
    public PodNow? Live([FromServices] LivePods live) => IsPast ? null : live.Find(PodUid);

    /// <summary>What the pod uses now of what it holds, as the node's agent measured it; null when that is not known, once it is given back, and for a moment in the past.</summary>
    public ShareUsage? Usage([FromServices] LiveTelemetry live) => IsPast || ReleasedAt is not null ? null : ShareUsage.Of(live.NowOf(Node).Where(n => n.Key.PodUid == PodUid));

    /// <summary>Whether it is shown as of a moment of the past.</summary>
    internal bool IsPast { get; init; }

    /// <summary>What the decision saw; null when another scheduler made it. Without other pods' reservations where you do not see all namespaces.</summary>
    public Task<PlacementReason?> Because(CancellationToken cancellationToken) => _reasons.OfAsync(_row.PlacedPosition, cancellationToken);
}
