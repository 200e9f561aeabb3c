using GraphQL;
using Hami.Api.Observing;
using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Hami.Domain.Ledger;
using Hami.Domain.Reading;
using Marten;
using Npgsql;

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
        [FromServices] IQuerySession session, [FromServices] NpgsqlDataSource database, CancellationToken cancellationToken,
        bool? live = null, string? @namespace = null, string? pod = null, string? node = null, int first = 100)
    {
        await using var select = database.CreateCommand(
            $"""
            select row_to_json(t) from {ReadTables.Allocations} t
            where ($1::boolean is null or (released_at is null) = $1) and ($2::text is null or namespace = $2) and ($3::text is null or pod = $3) and ($4::text is null or node = $4)
            order by placed_position desc limit $5
            """);
        foreach (var value in new object?[] { live, @namespace, pod, node, Math.Clamp(first, 0, LargestPage) })
            select.Parameters.Add(new() { Value = value ?? DBNull.Value });
        var rows = await ReadRows.ReadAsync<AllocationRow>(select, cancellationToken);

        // Why they were placed stands in the log.
        List<long> positions = [.. rows.Select(r => r.PlacedPosition)];
        var events = await session.Events.QueryAllRawEvents().Where(e => positions.Contains(e.Sequence)).ToListAsync(cancellationToken);
        var because = events.ToDictionary(e => e.Sequence, e => (e.Data as NodeEvent.AllocationPlaced)?.Because);
        return [.. rows.Select(r => AllocationRecord.Of(r, because.GetValueOrDefault(r.PlacedPosition)))];
    }
}
