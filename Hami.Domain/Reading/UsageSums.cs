namespace Hami.Domain.Reading;

/// <summary>The usage ledger: adds up, day by day, who had how much of which card.</summary>
/// <remarks>
/// A card's time is split by each holder's larger of memory and core fraction, scaled to at most the card; the rest is idle. Every
/// stretch in which nothing changes is cut at midnight UTC and split in whole microseconds, so that parts and idle add up exactly.
/// </remarks>
public sealed class UsageSums
{
    private readonly Dictionary<UsageKey, UsageRow> _usage = [];
    private readonly Dictionary<(DateOnly Day, string Node, string DeviceUuid), CardDayRow> _cards = [];

    public IReadOnlyCollection<UsageRow> Usage => _usage.Values;

    public IReadOnlyCollection<CardDayRow> Cards => _cards.Values;

    /// <summary>Adds the time from when the card is accounted for until another.</summary>
    /// <param name="card">As it was all that time.</param>
    /// <param name="holders">Who held what of it all that time, in the order in which they were placed.</param>
    public void Add(DeviceRow card, IReadOnlyList<HoldingRow> holders, DateTimeOffset until)
    {
        for (var from = card.AccountedTo; from < until;)
        {
            var midnight = new DateTimeOffset(from.UtcDateTime.Date.AddDays(1), TimeSpan.Zero);
            var to = midnight < until ? midnight : until;
            AddWithinDay(card, holders, DateOnly.FromDateTime(from.UtcDateTime), Microseconds(to) - Microseconds(from));
            from = to;
        }
    }

    private void AddWithinDay(DeviceRow card, IReadOnlyList<HoldingRow> holders, DateOnly day, long time)
    {
        // Both fractions over one denominator: memory of the card times its cores.
        Int128 memory = Math.Max(card.MemoryMiB, 1), cores = Math.Max(card.Cores, 1), sum = 0;
        foreach (var holder in holders)
            sum += Weight(holder);
        var whole = memory * cores;
        var divisor = sum > whole ? sum : whole;

        Int128 passed = 0;
        long given = 0;
        foreach (var holder in holders)
        {
            passed += Weight(holder);
            // What is given in all is rounded, not each part, so that parts of a full card leave nothing over.
            var until = card.IsRegistered ? (long)(time * passed / divisor) : 0;
            Add(new UsageRow(
                day, card.Node, card.Uuid, holder.Namespace, holder.OwnerKind ?? "", holder.OwnerName ?? "",
                (decimal)holder.MemoryMiB * time, (decimal)holder.Cores * time, until - given));
            given = until;
        }
        if (card.IsRegistered)
            Add(new CardDayRow(day, card.Node, card.Uuid, time, time - given, sum > whole ? time : 0));

        Int128 Weight(HoldingRow holder) => Int128.Max(holder.MemoryMiB * cores, holder.Cores * memory);
    }

    /// <summary>Adds what was summed up before.</summary>
    public void Add(UsageRow more)
    {
        var key = new UsageKey(more.Day, more.Node, more.DeviceUuid, more.Namespace, more.OwnerKind, more.OwnerName);
        _usage[key] = _usage.TryGetValue(key, out var row)
            ? row with
            {
                MemoryMiBMicroseconds = row.MemoryMiBMicroseconds + more.MemoryMiBMicroseconds,
                CoreMicroseconds = row.CoreMicroseconds + more.CoreMicroseconds,
                GpuMicroseconds = row.GpuMicroseconds + more.GpuMicroseconds,
            }
            : more;
    }

    /// <inheritdoc cref="Add(UsageRow)"/>
    public void Add(CardDayRow more)
    {
        var key = (more.Day, more.Node, more.DeviceUuid);
        _cards[key] = _cards.TryGetValue(key, out var row)
            ? row with
            {
                RegisteredMicroseconds = row.RegisteredMicroseconds + more.RegisteredMicroseconds,
                IdleMicroseconds = row.IdleMicroseconds + more.IdleMicroseconds,
                OversubscribedMicroseconds = row.OversubscribedMicroseconds + more.OversubscribedMicroseconds,
            }
            : more;
    }

    private static long Microseconds(DateTimeOffset at) => at.UtcTicks / TimeSpan.TicksPerMicrosecond;

    private readonly record struct UsageKey(DateOnly Day, string Node, string DeviceUuid, string Namespace, string OwnerKind, string OwnerName);
}
