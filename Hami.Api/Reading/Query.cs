using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Reading;

namespace Hami.Api;

public sealed partial class Query
{
    /// <summary>The usage ledger: what namespaces, their workloads' owners, nodes or cards had by the day, until now.</summary>
    /// <param name="by">What it is summed up by; the other columns are null. By namespace when not given.</param>
    /// <param name="filter">Which use.</param>
    /// <param name="sort">What it is sorted by.</param>
    /// <param name="descending">Whether the largest, or latest, comes first.</param>
    /// <param name="first">At most so many, up to 500.</param>
    /// <param name="after">Cursor of the row to go on behind; sums that grow meanwhile may move.</param>
    public static async Task<Connection<UsageSum>> Usage(
        [FromServices] UsageQuestions reader, [FromServices] Asker asker, CancellationToken cancellationToken, IReadOnlyList<UsageBy>? by = null, WantedUsage? filter = null,
        UsageSort sort = UsageSort.GpuHours, bool descending = true, int first = Pages.Usual, string? after = null)
    {
        asker.MustSee(filter?.Namespace);
        asker.Note("usage", filter?.Namespace, Midnight(filter?.From), Midnight(filter?.To));
        var page = Page<UsageSum>.Of(first, after, UsageSum.Orders[sort] with { Descending = descending });
        filter ??= new();
        return page.Of((await reader.UsageAsync((by ?? [UsageBy.Namespace]).ToHashSet(), filter, asker.Scope, cancellationToken)).Where(filter.Finds));
    }

    /// <summary>The time of cards by the day, until now: their holders' GPU-hours and what was idle add up to the hours they were there.</summary>
    /// <param name="filter">Which cards and days; the last 31 days when none are given.</param>
    /// <param name="sort">What they are sorted by.</param>
    /// <param name="descending">Whether the latest, or largest, comes first.</param>
    /// <param name="first">At most so many, up to 500.</param>
    /// <param name="after">Cursor of the row to go on behind.</param>
    public static async Task<Connection<CardDay>> CardDays(
        [FromServices] UsageQuestions reader, [FromServices] Asker asker, CancellationToken cancellationToken, CardDayFilter? filter = null,
        CardDaySort sort = CardDaySort.Day, bool descending = true, int first = Pages.Usual, string? after = null)
    {
        if (!asker.Scope.Nodes)
            asker.MustSeeNodes(filter?.Node ?? "");
        asker.Note("cardDays", null, Midnight(filter?.From), Midnight(filter?.To));
        var page = Page<CardDay>.Of(first, after, CardDay.Orders[sort] with { Descending = descending });
        filter ??= new();
        return page.Of((await reader.CardDaysAsync(filter, cancellationToken)).Where(filter.Finds));
    }

    /// <summary>What was allocated over time, exact at the begin of each step: of all cards, of a node, of a card, or what a namespace held.</summary>
    /// <param name="of">Of what; all cards, and whoever held them, when not given.</param>
    /// <param name="from">Where it begins; an hour before its end when not given. It is known back to the horizon.</param>
    /// <param name="to">Where it ends; now when not given.</param>
    /// <param name="stepSeconds">Seconds from one point to the next, a multiple of 5; as <c>usageTrend</c> has them when not given. At most 1,000 points.</param>
    public static Task<AllocationTrend> AllocationTrend(
        [FromServices] AllocationTrends trends, [FromServices] Asker asker, CancellationToken cancellationToken, HeldOf? of = null, DateTimeOffset? from = null,
        DateTimeOffset? to = null, int? stepSeconds = null)
    {
        of ??= new();
        asker.MustSee(of.Namespace);
        // Of a namespace there is what the whole cluster had, which is nobody's secret; a node or card has a name.
        if (of.Namespace is null || (of.Node ?? of.DeviceUuid) is not null)
            asker.MustSeeNodes(of.Node ?? of.DeviceUuid ?? "");
        asker.Note("allocationTrend", of.Namespace, from, to);
        return trends.ReadAsync(of, from, to, stepSeconds, cancellationToken);
    }

    private static DateTimeOffset? Midnight(DateOnly? day) => day is { } d ? new(d.ToDateTime(TimeOnly.MinValue), TimeSpan.Zero) : null;
}
