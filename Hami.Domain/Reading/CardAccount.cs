using System.Collections.Immutable;
using Hami.Domain.Ledger;

namespace Hami.Domain.Reading;

/// <summary>A card and who holds what of it, in the order in which they were placed.</summary>
internal sealed record CardAccount(DeviceRow Row, ImmutableList<HoldingRow> Holders)
{
    /// <summary>True when nothing can change that is known of it.</summary>
    public bool IsForgotten => Row is { IsRegistered: false, CordonedAt: null } && Holders.IsEmpty;

    public CardAccount Registered(Card card, DateTimeOffset at, long position) => this with
    {
        Row = Row with
        {
            IsRegistered = true,
            Index = card.Index,
            Model = card.Model,
            MemoryMiB = card.MemoryMiB,
            Cores = card.Cores,
            Slots = card.Slots,
            Numa = card.Numa,
            Mode = card.Mode,
            MigProfiles = card.MigProfiles,
            Healthy = card.Healthy,
            HealthySince = Row.IsRegistered && Row.Healthy == card.Healthy ? Row.HealthySince : at,
            RegisteredAt = Row.IsRegistered ? Row.RegisteredAt : at,
            ChangedAt = Row.IsRegistered && IsAsBefore(card) ? Row.ChangedAt : at,
            RemovedAt = null,
            SizedAt = IsAsLargeAs(card) ? Row.SizedAt : at,
            SizedPosition = IsAsLargeAs(card) ? Row.SizedPosition : position,
        },
    };

    public CardAccount Unregistered(DateTimeOffset at) =>
        Row.IsRegistered ? this with { Row = Row with { IsRegistered = false, RemovedAt = at } } : this;

    public CardAccount Uncordoned() => this with { Row = Row with { CordonedAt = null } };

    /// <summary>One holding instead of another, either of which may be none.</summary>
    public CardAccount With(HoldingRow? before, HoldingRow? after)
    {
        var holders = before is null ? Holders : Holders.Remove(before);
        if (after is not null)
        {
            // One that shrank keeps its place: the order is that of the log.
            var at = holders.FindIndex(h => h.Position > after.Position);
            holders = at < 0 ? holders.Add(after) : holders.Insert(at, after);
        }
        return new(
            Row with
            {
                UsedMemoryMiB = holders.Sum(h => h.MemoryMiB),
                UsedCores = holders.Sum(h => (long)h.Cores),
                UsedSlots = holders.Sum(h => h.Slots),
                HeldSince = holders.IsEmpty ? null : Row.HeldSince ?? after?.HeldFrom,
            },
            holders);
    }

    private bool IsAsLargeAs(Card card) => Row.IsRegistered && (Row.MemoryMiB, Row.Cores, Row.Slots) == (card.MemoryMiB, card.Cores, card.Slots);

    private bool IsAsBefore(Card card) =>
        card == new Card(Row.Uuid, Row.Index, Row.Model, Row.MemoryMiB, Row.Cores, Row.Slots, Row.Numa, Row.Mode, Row.Healthy, Row.MigProfiles);
}
