using System.Text.Json.Serialization;
using Hami.Domain.Ledger;

namespace Hami.Domain.Reading;

/// <summary>One allocation from its decision to its end.</summary>
/// <param name="OwnerKind">Kind of what the pod belongs to; null for a pod of its own.</param>
/// <param name="MemoryMiB">Device memory in MiB as placed, summed over all cards.</param>
/// <param name="Cores">Percent of one card as placed, summed over all cards.</param>
/// <param name="Shares">As they were placed.</param>
/// <param name="PlacedPosition">Position in the log of the event that placed it; the decision's reason stands there.</param>
public sealed record AllocationRow(
    Guid Id, string PodUid, string Namespace, string Pod, string? OwnerKind, string? OwnerName, string Node, int Containers,
    long MemoryMiB, long Cores, IReadOnlyList<Share> Shares, DateTimeOffset PlacedAt, long PlacedPosition)
{
    /// <summary>When the pod was first refused; null when it never waited.</summary>
    public DateTimeOffset? WaitingSince { get; init; }

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

/// <summary>What one allocation takes of one card, from a time to a time: the most that any moment of the pod needs, as placement counts it.</summary>
/// <param name="Part">0 as placed, 1 after the init containers have ended.</param>
/// <param name="Position">Position in the log of the event that placed the allocation.</param>
/// <param name="Cores">Percent of one card.</param>
/// <param name="Slots">Containers.</param>
/// <param name="HeldUntil">Null while it is held.</param>
public sealed record HoldingRow(
    Guid AllocationId, string DeviceUuid, int Part, string Node, string Namespace, string? OwnerKind, string? OwnerName, long Position,
    long MemoryMiB, int Cores, int Slots, DateTimeOffset HeldFrom, DateTimeOffset? HeldUntil = null)
{
    /// <summary>1 on one of the cards that an allocation holds at a time, 0 on its others: added up over cards they count its pod once.</summary>
    public int Pods { get; init; }

    /// <summary>The card that an allocation's pod is counted on: one that it holds to its end, so that it counts as long as it holds any.</summary>
    public static string? CountedOn(IReadOnlyList<Share> shares) => (shares.FirstOrDefault(s => !s.EndsBeforeApps) ?? (shares.Count > 0 ? shares[0] : null))?.DeviceUuid;
}

/// <summary>A node that has, or had, cards.</summary>
/// <param name="Devices">Number of its cards.</param>
/// <param name="RegisteredAt">Since when it is known, without a break.</param>
/// <param name="ChangedAt">When its agent last published other cards.</param>
/// <param name="RemovedAt">When it left; null while it is there.</param>
/// <param name="RemovedBecause">Why, in a sentence.</param>
public sealed record NodeRow(
    string Name, int Devices, DateTimeOffset RegisteredAt, DateTimeOffset ChangedAt, DateTimeOffset? RemovedAt = null, string? RemovedBecause = null);

/// <summary>One card of one node, and what is held of it.</summary>
/// <param name="AccountedTo">Up to when its use stands in the usage ledger; what came after follows from this row and the open holdings.</param>
public sealed record DeviceRow(string Node, string Uuid, DateTimeOffset AccountedTo)
{
    /// <summary>False for a card that is gone, and for one that is only cordoned or held so far.</summary>
    public bool IsRegistered { get; init; }

    /// <summary>NVML index.</summary>
    public int Index { get; init; }

    /// <summary>Product name, as published.</summary>
    public string Model { get; init; } = "";

    /// <summary>Device memory in MiB, memory scaling applied.</summary>
    public long MemoryMiB { get; init; }

    /// <summary>Percent of compute; 100 is one whole card, more with core scaling.</summary>
    public int Cores { get; init; }

    /// <summary>How many containers may share the card.</summary>
    public int Slots { get; init; }

    /// <summary>NUMA node; 0 also when unknown.</summary>
    public int Numa { get; init; }

    /// <summary><c>hami-core</c>, <c>mig</c> or <c>mps</c>.</summary>
    public string Mode { get; init; } = "";

    /// <summary>The instances a card in mode <c>mig</c> can be cut into; null for other modes.</summary>
    public IReadOnlyList<MigProfile>? MigProfiles { get; init; }

    /// <summary>False when the node agent reported it unhealthy.</summary>
    public bool Healthy { get; init; }

    /// <summary>Since when it is as healthy as it is.</summary>
    public DateTimeOffset? HealthySince { get; init; }

    /// <summary>Since when the card is known, without a break; null for one that never was.</summary>
    public DateTimeOffset? RegisteredAt { get; init; }

    /// <summary>When its agent last published it differently.</summary>
    public DateTimeOffset? ChangedAt { get; init; }

    /// <summary>When it left; null while it is there.</summary>
    public DateTimeOffset? RemovedAt { get; init; }

    /// <summary>Since when it is as large as it is; null for one that never was registered.</summary>
    public DateTimeOffset? SizedAt { get; init; }

    /// <summary>Position in the log of the event that says so; 0 where that was archived by a version that did not keep it.</summary>
    public long SizedPosition { get; init; }

    /// <summary>Since when it takes no new pods; null while it does.</summary>
    public DateTimeOffset? CordonedAt { get; init; }

    /// <summary>Device memory in MiB held by allocations.</summary>
    public long UsedMemoryMiB { get; init; }

    /// <summary>Percent of compute held by allocations.</summary>
    public long UsedCores { get; init; }

    /// <summary>How many containers share the card.</summary>
    public int UsedSlots { get; init; }

    /// <summary>Since when somebody holds a part of it, without a break; null while nobody does.</summary>
    public DateTimeOffset? HeldSince { get; init; }
}

/// <summary>How large a card was, from a time to a time, while it was among its node's cards.</summary>
/// <param name="Position">Position in the log of the event that says so.</param>
/// <param name="MemoryMiB">Device memory in MiB, memory scaling applied.</param>
/// <param name="Cores">Percent of compute.</param>
/// <param name="Slots">How many containers may share the card.</param>
/// <param name="SizedUntil">Null while it is so.</param>
public sealed record CardSizeRow(
    string Node, string Uuid, long Position, long MemoryMiB, int Cores, int Slots, DateTimeOffset SizedFrom, DateTimeOffset? SizedUntil = null)
{
    /// <summary>How large a registered card is; null for one that is not registered.</summary>
    public static CardSizeRow? Of(DeviceRow card)
    {
        ArgumentNullException.ThrowIfNull(card);
        return card is { IsRegistered: true, SizedAt: { } at } ? new(card.Node, card.Uuid, card.SizedPosition, card.MemoryMiB, card.Cores, card.Slots, at) : null;
    }
}

/// <summary>How a time of waiting for the same reasons came to its end.</summary>
public enum WaitingEnd
{
    /// <summary>The pod was refused for other reasons.</summary>
    RefusedAgain,

    /// <summary>The pod was given its shares.</summary>
    Placed,

    /// <summary>The pod went away.</summary>
    Withdrawn,
}

/// <summary>A pod that waited, or waits, for the same reasons.</summary>
/// <param name="Position">Position in the log of the event that refused it.</param>
/// <param name="WaitingSince">When the pod was first refused, for whatever reasons.</param>
/// <param name="RefusedAt">When it was refused for these.</param>
/// <param name="Message">Why it waits, in a sentence.</param>
/// <param name="ViewPosition">Position in the log of the state that refused it.</param>
/// <param name="EndedAt">Null while it waits for these reasons.</param>
public sealed record RefusalRow(
    long Position, string PodUid, string Namespace, string Pod, DateTimeOffset WaitingSince, DateTimeOffset RefusedAt, string Message,
    IReadOnlyList<RefusalCount> Reasons, long ViewPosition, DateTimeOffset? EndedAt = null, WaitingEnd? Ending = null);

/// <summary>What the pods of one owner had of one card on one UTC day. Whole microseconds, so that sums are exact.</summary>
/// <param name="OwnerKind">Empty for pods of their own.</param>
/// <param name="OwnerName">Empty for pods of their own.</param>
/// <param name="MemoryMiBMicroseconds">Device memory in MiB times microseconds.</param>
/// <param name="CoreMicroseconds">Percent of one card times microseconds.</param>
/// <param name="GpuMicroseconds">Their part of the card's own time.</param>
public sealed record UsageRow(
    DateOnly Day, string Node, string DeviceUuid, string Namespace, string OwnerKind, string OwnerName,
    decimal MemoryMiBMicroseconds, decimal CoreMicroseconds, long GpuMicroseconds)
{
    /// <summary>GiB held for an hour.</summary>
    [JsonIgnore]
    public decimal MemoryGiBHours => Hours.Of(MemoryMiBMicroseconds) / 1024;

    /// <summary>One percent of a card held for an hour.</summary>
    [JsonIgnore]
    public decimal CoreHours => Hours.Of(CoreMicroseconds);

    /// <summary>A whole card held for an hour.</summary>
    [JsonIgnore]
    public decimal GpuHours => Hours.Of(GpuMicroseconds);
}

/// <summary>The time of one card on one UTC day: what its holders had of it and what was idle add up to the time it was registered.</summary>
/// <param name="RegisteredMicroseconds">While it was among its node's cards.</param>
/// <param name="IdleMicroseconds">Its part that nobody held.</param>
/// <param name="OversubscribedMicroseconds">While its holders' parts together were more than the card, and were scaled down to it.</param>
public sealed record CardDayRow(
    DateOnly Day, string Node, string DeviceUuid, long RegisteredMicroseconds, long IdleMicroseconds, long OversubscribedMicroseconds);

/// <summary>Microseconds as people read them.</summary>
public static class Hours
{
    private const decimal Microseconds = 3_600_000_000m;

    public static decimal Of(decimal microseconds) => microseconds / Microseconds;
}
