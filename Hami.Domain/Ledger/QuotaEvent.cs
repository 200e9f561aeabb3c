namespace Hami.Domain.Ledger;

/// <summary>What has happened to the quotas of one namespace. Streams are <see cref="Streams.Quota"/>.</summary>
/// <remarks>Stored for ever: add a field with a default, never rename or repurpose one.</remarks>
public abstract record QuotaEvent
{
    /// <summary>The namespace's ResourceQuotas limit accelerators differently than before; none left is an empty list.</summary>
    public sealed record QuotaChanged(string Namespace, IReadOnlyList<NamespaceQuota> Quotas) : QuotaEvent;

    private QuotaEvent() { }
}

/// <summary>What one ResourceQuota allows a namespace in all; null is no limit.</summary>
/// <param name="Name">Name of the ResourceQuota.</param>
/// <param name="MemoryMiB">Device memory in MiB over all cards (<c>limits.nvidia.com/gpumem</c>, memory factor applied).</param>
/// <param name="Cores">Percent of one card, summed over all cards (<c>limits.nvidia.com/gpucores</c>).</param>
public sealed record NamespaceQuota(string Name, long? MemoryMiB, long? Cores);

/// <summary>Accelerators that the live allocations of a namespace hold, summed over all cards.</summary>
public sealed record QuotaUse(long MemoryMiB, long Cores)
{
    public static readonly QuotaUse None = new(0, 0);

    public static QuotaUse operator +(QuotaUse a, QuotaUse b) => new(a.MemoryMiB + b.MemoryMiB, a.Cores + b.Cores);

    public static QuotaUse operator -(QuotaUse a, QuotaUse b) => new(a.MemoryMiB - b.MemoryMiB, a.Cores - b.Cores);
}

/// <summary>What a namespace may still take: every one of its quotas holds at once, so the tightest counts; null is no limit.</summary>
public sealed record QuotaRoom(long? MemoryMiB, long? Cores)
{
    public static readonly QuotaRoom Unlimited = new(null, null);

    /// <summary>True when nothing limits the namespace.</summary>
    public bool IsUnlimited => MemoryMiB is null && Cores is null;

    public static QuotaRoom Of(IReadOnlyList<NamespaceQuota> quotas, QuotaUse used) => new(
        quotas.Min(q => q.MemoryMiB) - used.MemoryMiB, quotas.Min(q => q.Cores) - used.Cores);

    public bool Holds(QuotaUse more) =>
        (MemoryMiB is not { } memory || more.MemoryMiB <= memory) && (Cores is not { } cores || more.Cores <= cores);

    public static QuotaRoom operator -(QuotaRoom room, QuotaUse taken) => new(room.MemoryMiB - taken.MemoryMiB, room.Cores - taken.Cores);
}
