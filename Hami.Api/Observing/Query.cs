using GraphQL;
using Hami.Api.Observing;
using Hami.Api.Plumbing;
using Marten;

namespace Hami.Api;

public sealed partial class Query
{
    private const int LargestPage = 500;

    /// <summary>Number of events in the log.</summary>
    public static long EventCount([FromServices] Journal journal) => journal.Ledger.EventCount;

    /// <summary>Allocations with the times of each step, the newest first.</summary>
    /// <param name="live">True for those held now, false for those given back, null for all.</param>
    /// <param name="namespace">Only pods of this namespace.</param>
    /// <param name="pod">Only pods of this name.</param>
    /// <param name="node">Only allocations on this node.</param>
    /// <param name="first">At most so many, up to 500.</param>
    public static async Task<IReadOnlyList<AllocationRecord>> Allocations(
        [FromServices] IQuerySession session, CancellationToken cancellationToken,
        bool? live = null, string? @namespace = null, string? pod = null, string? node = null, int first = 100)
    {
        IQueryable<AllocationRecord> records = session.Query<AllocationRecord>();
        if (live is { } held)
            records = held ? records.Where(r => r.ReleasedAt == null) : records.Where(r => r.ReleasedAt != null);
        if (@namespace is not null)
            records = records.Where(r => r.Namespace == @namespace);
        if (pod is not null)
            records = records.Where(r => r.Pod == pod);
        if (node is not null)
            records = records.Where(r => r.Node == node);
        return await records.OrderByDescending(r => r.PlacedAt).Take(Math.Clamp(first, 0, LargestPage)).ToListAsync(cancellationToken);
    }
}
