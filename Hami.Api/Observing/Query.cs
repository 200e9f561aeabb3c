using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Observing;
using Hami.Api.Plumbing;
using Marten;

namespace Hami.Api;

public sealed partial class Query
{
    /// <summary>Number of events in the log.</summary>
    public static long EventCount([FromServices] Journal journal) => journal.Ledger.EventCount;

    /// <summary>Position in the log of its last event.</summary>
    public static long LogPosition([FromServices] Journal journal) => journal.Ledger.Position;

    /// <summary>Allocations, live and past, with the times of each step; of those that ended by the horizon only usage is left.</summary>
    /// <param name="filter">Which allocations.</param>
    /// <param name="sort">What they are sorted by.</param>
    /// <param name="descending">Whether the latest, or largest, comes first.</param>
    /// <param name="first">At most so many, up to 500.</param>
    /// <param name="after">Cursor of the row to go on behind.</param>
    /// <param name="at">As of this moment: those placed by then, without the steps after it; now when not given.</param>
    public static async Task<Connection<AllocationRecord>> Allocations(
        [FromServices] Rows rows, [FromServices] IDocumentStore store, [FromServices] Asker asker, [FromServices] TimeProvider clock, CancellationToken cancellationToken,
        AllocationFilter? filter = null, AllocationSort sort = AllocationSort.PlacedAt, bool descending = true, int first = Pages.Usual, string? after = null,
        DateTimeOffset? at = null)
    {
        asker.MustSee(filter?.Namespace);
        asker.Note("allocations", filter?.Namespace, filter?.From ?? at, filter?.To ?? at);
        var page = Page<AllocationRecord>.Of(first, after, AllocationRows.OrderOf(sort, after, at ?? clock.GetUtcNow()) with { Descending = descending });
        if (at is { } then)
            await rows.MustHaveAsync(then, cancellationToken);
        var (reasons, models) = (new PlacementReasons(store, asker.Scope), new CardModels(rows));
        return await rows.PageAsync(
            AllocationRows.Columns, conditions => at is { } moment ? AllocationRows.TableAt(conditions, moment) : AllocationRows.Table, "a.id",
            () => (filter ?? new()).Conditions(asker.Scope), page, r => AllocationRows.Of(r, reasons, models, isPast: at is not null), cancellationToken);
    }

    /// <summary>The log itself: what happened, when, in its order; up to the horizon only what tells of pods that held cards there, or waited.</summary>
    /// <param name="filter">Which events.</param>
    /// <param name="descending">Whether the newest comes first.</param>
    /// <param name="first">At most so many, up to 500.</param>
    /// <param name="after">Cursor of the row to go on behind.</param>
    public static Task<Connection<LogEvent>> Events(
        [FromServices] Rows rows, [FromServices] Asker asker, CancellationToken cancellationToken, EventFilter? filter = null, bool descending = true,
        int first = Pages.Usual, string? after = null)
    {
        asker.MustSee(filter?.Namespace);
        asker.Note("events", filter?.Namespace, filter?.From, filter?.To);
        var page = Page<LogEvent>.Of(first, after, LogEvent.Order with { Descending = descending });
        return rows.PageAsync(
            LogEvent.Columns, LogEvent.Table, "e.seq_id", () => (filter ?? new()).Conditions(asker.Scope), page, r => LogEvent.Of(r, asker.Scope), cancellationToken);
    }
}
