using System.Globalization;
using GraphQL;
using Hami.Api.Asking;
using Hami.Domain.Reading;

namespace Hami.Api.Reading;

/// <summary>What somebody had of the cards.</summary>
/// <param name="Day">The UTC day; null when summed over days.</param>
/// <param name="Namespace">The namespace; null when summed over them.</param>
/// <param name="OwnerKind">Kind of what the pods belong to, empty for pods of their own; null when summed over owners.</param>
/// <param name="OwnerName">Name of what the pods belong to, empty for pods of their own; null when summed over owners.</param>
/// <param name="Node">Name of the node; null when summed over nodes.</param>
/// <param name="DeviceUuid">UUID of the card; null when summed over cards.</param>
/// <param name="MemoryGiBHours">Device memory: one GiB held for an hour.</param>
/// <param name="CoreHours">Compute: one percent of a card held for an hour.</param>
/// <param name="GpuHours">Their part of the cards' own time, by the larger of memory and compute: a whole card for an hour.</param>
public sealed record UsageSum(
    DateOnly? Day, string? Namespace, string? OwnerKind, string? OwnerName, string? Node, string? DeviceUuid, decimal MemoryGiBHours, decimal CoreHours, decimal GpuHours)
{
    private const decimal KeyDigits = 1_000_000;

    internal static readonly Dictionary<UsageSort, Order<UsageSum>> Orders = new()
    {
        [UsageSort.Day] = Order<UsageSum>.Text("day", Text, Id),
        [UsageSort.Name] = Order<UsageSum>.Text("name", u => $"{u.Namespace}/{u.OwnerKind}/{u.OwnerName}/{u.Node}/{u.DeviceUuid}", Id),
        [UsageSort.Namespace] = Order<UsageSum>.Text("namespace", u => u.Namespace ?? "", Id),
        [UsageSort.Owner] = Order<UsageSum>.Text("owner", u => $"{u.OwnerName} {u.OwnerKind}", Id),
        [UsageSort.Node] = Order<UsageSum>.Text("node", u => u.Node ?? "", Id),
        [UsageSort.Device] = Order<UsageSum>.Text("device", u => u.DeviceUuid ?? "", Id),
        [UsageSort.MemoryGiBHours] = Order<UsageSum>.Number("memory", u => (long)(u.MemoryGiBHours * KeyDigits), Id),
        [UsageSort.CoreHours] = Order<UsageSum>.Number("cores", u => (long)(u.CoreHours * KeyDigits), Id),
        [UsageSort.GpuHours] = Order<UsageSum>.Number("gpu", u => (long)(u.GpuHours * KeyDigits), Id),
    };

    internal static UsageSum Of(UsageRow row, IReadOnlySet<UsageBy> by) => new(
        by.Contains(UsageBy.Day) ? row.Day : null, by.Contains(UsageBy.Namespace) ? row.Namespace : null,
        by.Contains(UsageBy.Owner) ? row.OwnerKind : null, by.Contains(UsageBy.Owner) ? row.OwnerName : null,
        by.Contains(UsageBy.Node) ? row.Node : null, by.Contains(UsageBy.Device) ? row.DeviceUuid : null, row.MemoryGiBHours, row.CoreHours, row.GpuHours);

    private static string Text(UsageSum usage) => usage.Day?.ToString("O", CultureInfo.InvariantCulture) ?? "";

    private static string Id(UsageSum usage) => $"{Text(usage)}/{usage.Namespace}/{usage.OwnerKind}/{usage.OwnerName}/{usage.Node}/{usage.DeviceUuid}";
}

/// <summary>What use is summed up by.</summary>
public enum UsageBy
{
    /// <summary>UTC day.</summary>
    Day,

    /// <summary>Namespace.</summary>
    Namespace,

    /// <summary>What the pods belong to, such as a Job.</summary>
    Owner,

    /// <summary>Node.</summary>
    Node,

    /// <summary>Card.</summary>
    Device,
}

/// <summary>What use is sorted by.</summary>
public enum UsageSort
{
    /// <summary>UTC day.</summary>
    Day,

    /// <summary>Namespace, owner, node and card.</summary>
    Name,

    /// <summary>Device memory.</summary>
    MemoryGiBHours,

    /// <summary>Compute.</summary>
    CoreHours,

    /// <summary>Part of the cards' own time.</summary>
    GpuHours,

    /// <summary>Namespace.</summary>
    Namespace,

    /// <summary>Name and kind of the owner; pods of their own are before all others.</summary>
    Owner,

    /// <summary>Name of the node.</summary>
    Node,

    /// <summary>UUID of the card.</summary>
    Device,
}

/// <summary>Which use; what is left out is not asked for.</summary>
[Name("UsageFilter")]
public sealed class WantedUsage
{
    /// <summary>Only pods of this namespace.</summary>
    public string? Namespace { get; init; }

    /// <summary>Only pods of an owner of this kind, such as <c>Job</c>.</summary>
    public string? OwnerKind { get; init; }

    /// <summary>Only pods of the owner of this name.</summary>
    public string? OwnerName { get; init; }

    /// <summary>Only on this node.</summary>
    public string? Node { get; init; }

    /// <summary>Only of this card.</summary>
    public string? DeviceUuid { get; init; }

    /// <summary>Only of this UTC day and later ones.</summary>
    public DateOnly? From { get; init; }

    /// <summary>Only before this UTC day.</summary>
    public DateOnly? To { get; init; }

    /// <summary>Only sums in whose namespace, owner's name, node's name or card's UUID this occurs, of those that they are summed up by.</summary>
    public string? Search { get; init; }

    internal bool Takes(UsageRow row) =>
        Match.Is(Namespace, row.Namespace) && Match.Is(OwnerKind, row.OwnerKind) && Match.Is(OwnerName, row.OwnerName) && Match.Is(Node, row.Node)
        && Match.Is(DeviceUuid, row.DeviceUuid) && (From is null || row.Day >= From) && (To is null || row.Day < To);

    internal bool Finds(UsageSum sum) =>
        Search is null || Match.Has(Search, sum.Namespace ?? "") || Match.Has(Search, sum.OwnerName ?? "") || Match.Has(Search, sum.Node ?? "") || Match.Has(Search, sum.DeviceUuid ?? "");
}

/// <summary>The time of one card on one UTC day.</summary>
/// <param name="Day">The day.</param>
/// <param name="Node">Name of the node.</param>
/// <param name="DeviceUuid">UUID of the card.</param>
/// <param name="Hours">Hours for which it was among its node's cards.</param>
/// <param name="IdleHours">The part of them that nobody held.</param>
/// <param name="OversubscribedHours">Hours in which its holders' parts together were more than the card, and were scaled down to it.</param>
public sealed record CardDay(DateOnly Day, string Node, string DeviceUuid, decimal Hours, decimal IdleHours, decimal OversubscribedHours)
{
    internal static readonly Dictionary<CardDaySort, Order<CardDay>> Orders = new()
    {
        [CardDaySort.Day] = Order<CardDay>.Text("day", d => d.Day.ToString("O", CultureInfo.InvariantCulture), Id),
        [CardDaySort.Node] = Order<CardDay>.Text("node", d => d.Node, Id),
        [CardDaySort.IdleHours] = Order<CardDay>.Number("idle", d => (long)(d.IdleHours * 1_000_000), Id),
        [CardDaySort.Device] = Order<CardDay>.Text("device", d => d.DeviceUuid, Id),
        [CardDaySort.OversubscribedHours] = Order<CardDay>.Number("oversubscribed", d => (long)(d.OversubscribedHours * 1_000_000), Id),
    };

    internal static CardDay Of(CardDayRow row) => new(
        row.Day, row.Node, row.DeviceUuid, Domain.Reading.Hours.Of(row.RegisteredMicroseconds), Domain.Reading.Hours.Of(row.IdleMicroseconds), Domain.Reading.Hours.Of(row.OversubscribedMicroseconds));

    private static string Id(CardDay day) => $"{day.Day.ToString("O", CultureInfo.InvariantCulture)}/{day.Node}/{day.DeviceUuid}";
}

/// <summary>What cards' days are sorted by.</summary>
public enum CardDaySort
{
    /// <summary>UTC day.</summary>
    Day,

    /// <summary>Node.</summary>
    Node,

    /// <summary>Idle hours.</summary>
    IdleHours,

    /// <summary>UUID of the card.</summary>
    Device,

    /// <summary>Oversubscribed hours.</summary>
    OversubscribedHours,
}

/// <summary>Which cards' days; what is left out is not asked for.</summary>
public sealed class CardDayFilter
{
    /// <summary>Only cards of this node.</summary>
    public string? Node { get; init; }

    /// <summary>Only this card.</summary>
    public string? DeviceUuid { get; init; }

    /// <summary>Only this UTC day and later ones.</summary>
    public DateOnly? From { get; init; }

    /// <summary>Only before this UTC day.</summary>
    public DateOnly? To { get; init; }

    /// <summary>Only cards in whose UUID or node's name this occurs.</summary>
    public string? Search { get; init; }

    internal bool Takes(CardDayRow row) =>
        Match.Is(Node, row.Node) && Match.Is(DeviceUuid, row.DeviceUuid) && (From is null || row.Day >= From) && (To is null || row.Day < To);

    internal bool Finds(CardDay day) => Search is null || Match.Has(Search, day.Node) || Match.Has(Search, day.DeviceUuid);
}
