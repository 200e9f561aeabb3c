using System.Runtime.CompilerServices;
using System.Text.Json;
using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Hami.Domain.Ledger;
using Npgsql;

namespace Hami.Api.Replaying;

/// <summary>A row of the log as the database holds it.</summary>
/// <param name="Version">Its number within its stream, from 1 on.</param>
/// <param name="Body">The event as JSON.</param>
/// <param name="Hash">Its hash in the chain; null when the row has none.</param>
/// <param name="AllocationId">What stands beside the body; null for nothing.</param>
/// <param name="IsArchived">True for a row that processes which start do not fold.</param>
internal sealed record LogRow(
    long Position, string Stream, long Version, string Type, string Body, DateTimeOffset At, string? Hash, string? AllocationId, bool IsArchived)
{
    /// <summary>The hash that the row must have after that one.</summary>
    /// <exception cref="JsonException">The body is no JSON; PostgreSQL keeps no such thing.</exception>
    public string HashAfter(string previous)
    {
        using var body = JsonDocument.Parse(Body);
        return EventHash.Of(previous, At, Stream, Type, body.RootElement);
    }
}

/// <summary>Reads the log's rows, whatever stands in them.</summary>
internal static class LogRows
{
    private const string Table = $"{MartenSetup.Schema}.mt_events";
    private const string Columns = $"seq_id, stream_id, version, type, data, timestamp, headers->>'hash', {AllocationId}, is_archived";

    // As the index has it, see JournalTables.
    private const string AllocationId = "(headers->>'allocationId')";

    private const string Begin = "type in ('allocation_placed', 'allocation_adopted')";

    /// <summary>Rows after one position up to another, in order; the database hands them out as they are read.</summary>
    public static IAsyncEnumerable<LogRow> ReadAsync(NpgsqlConnection database, long after, long upTo, CancellationToken cancellationToken) =>
        QueryAsync(database, $"select {Columns} from {Table} where seq_id > $1 and seq_id <= $2 order by seq_id", cancellationToken, after, upTo);

    /// <summary>Rows that tell of one pod, up to a position.</summary>
    /// <param name="indexedTo">Up to where the read models find them, see <see cref="IndexedToAsync"/>; after it the rows themselves are looked through.</param>
    /// <param name="keptTo">The log's horizon, or 0: of what ended before it the read models tell nothing, and the rows kept are few.</param>
    public static IAsyncEnumerable<LogRow> AboutPodAsync(
        NpgsqlConnection database, string podUid, long upTo, long indexedTo, long keptTo, CancellationToken cancellationToken) => QueryAsync(
        database,
        $"""
        with held as (
            {(indexedTo == 0 ? "" : $"select id::text as id from {ReadTables.Allocations} where pod_uid = $1 union")}
            select data->>'allocationId' as id from {Table} where (seq_id > $3 or seq_id <= $4) and data->>'podUid' = $1 and {Begin})
        select {Columns} from (
            select * from {Table} where stream_id = 'pod/' || $1
            union all
            select * from {Table} where {AllocationId} in (select id from held)) e
        where seq_id <= $2
        order by seq_id
        """,
        cancellationToken, podUid, upTo, indexedTo, keptTo);

    /// <summary>Rows that tell of allocations which have shares of one card in a time.</summary>
    /// <param name="indexedTo">As in <see cref="AboutPodAsync"/>.</param>
    public static IAsyncEnumerable<LogRow> AboutCardAsync(
        NpgsqlConnection database, string deviceUuid, DateTimeOffset from, DateTimeOffset upTo, long indexedTo, CancellationToken cancellationToken) => QueryAsync(
        database,
        $"""
        with held as (
            {(indexedTo == 0 ? "" :
            $"select allocation_id::text as id from {ReadTables.Holdings} where device_uuid = $1 and held_from <= $3 and (held_until is null or held_until >= $2) union")}
            select data->>'allocationId' as id from {Table}
            where seq_id > $4 and {Begin} and data->'shares' @> jsonb_build_array(jsonb_build_object('deviceUuid', $1::text)))
        select {Columns} from {Table}
        where {AllocationId} in (select id from held) and timestamp <= $3 and type in ('allocation_placed', 'allocation_adopted', 'allocation_shrunk', 'allocation_released')
        order by seq_id
        """,
        cancellationToken, deviceUuid, from.ToUniversalTime(), upTo.ToUniversalTime(), indexedTo);

    /// <summary>UID of the pod that had this name last; null when none had it.</summary>
    public static async Task<string?> PodUidAsync(NpgsqlConnection database, string @namespace, string pod, long upTo, long indexedTo, CancellationToken cancellationToken)
    {
        var indexed = indexedTo == 0 ? "" :
            $"""
            (select pod_uid, placed_position as position from {ReadTables.Allocations} where namespace = $1 and pod = $2 and placed_position <= $3 order by placed_position desc limit 1)
            union all
            (select pod_uid, position from {ReadTables.Refusals} where namespace = $1 and pod = $2 and position <= $3 order by position desc limit 1)
            union all
            """;
        await using var command = Command(
            database,
            $"""
            select pod_uid from (
                {indexed}
                (select data->>'podUid' as pod_uid, seq_id as position from {Table}
                where seq_id > $4 and seq_id <= $3 and type in ('allocation_placed', 'allocation_adopted', 'placement_refused', 'preemption_planned')
                    and data->>'namespace' = $1 and data->>'pod' = $2
                order by seq_id desc limit 1)) p
            order by position desc limit 1
            """,
            @namespace, pod, upTo, indexedTo);
        return await command.ExecuteScalarAsync(cancellationToken) as string;
    }

    /// <summary>Up to which position the read models can be asked where something stands; 0 when there are none.</summary>
    public static async Task<long> IndexedToAsync(NpgsqlConnection database, CancellationToken cancellationToken)
    {
        await using var command = Command(database, $"select to_regclass('{ReadTables.Head}') is not null");
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!
            && await ReadRows.HeadAsync(database, locked: false, cancellationToken) is { Shape: ReadTables.Shape } head ? head.Position : 0;
    }

    /// <summary>The highest position whose time is not after that; 0 when there is none.</summary>
    /// <remarks>Times never decrease along the log, so halving finds it by the primary key alone.</remarks>
    public static async Task<long> PositionAtAsync(NpgsqlConnection database, DateTimeOffset at, CancellationToken cancellationToken)
    {
        var (low, high) = (0L, await LastAsync(database, cancellationToken));
        while (low < high)
        {
            var middle = low + ((high - low + 1) / 2);
            await using var command = Command(database, $"select seq_id, timestamp from {Table} where seq_id <= $1 order by seq_id desc limit 1", middle);
            await using var row = await command.ExecuteReaderAsync(cancellationToken);
            if (!await row.ReadAsync(cancellationToken))
                low = middle;
            else if (row.GetFieldValue<DateTimeOffset>(1) <= at)
                low = middle;
            else
                high = row.GetInt64(0) - 1;
        }
        return await LastAsync(database, cancellationToken, upTo: low);
    }

    /// <summary>Position of the last row, up to one; 0 when there is none.</summary>
    public static async Task<long> LastAsync(NpgsqlConnection database, CancellationToken cancellationToken, long upTo = long.MaxValue)
    {
        await using var command = Command(database, $"select coalesce(max(seq_id), 0) from {Table} where seq_id <= $1", upTo);
        return (long)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    private static async IAsyncEnumerable<LogRow> QueryAsync(
        NpgsqlConnection database, string sql, [EnumeratorCancellation] CancellationToken cancellationToken, params object[] values)
    {
        await using var command = Command(database, sql, values);
        await using var rows = await command.ExecuteReaderAsync(cancellationToken);
        while (await rows.ReadAsync(cancellationToken))
        {
            yield return new(
                rows.GetInt64(0), rows.GetString(1), rows.GetInt64(2), rows.GetString(3), rows.GetString(4), rows.GetFieldValue<DateTimeOffset>(5),
                rows.IsDBNull(6) ? null : rows.GetString(6), rows.IsDBNull(7) ? null : rows.GetString(7), rows.GetBoolean(8));
        }
    }

    private static NpgsqlCommand Command(NpgsqlConnection database, string sql, params object[] values)
    {
        var command = new NpgsqlCommand(sql, database);
        foreach (var value in values)
            command.Parameters.Add(new() { Value = value });
        return command;
    }
}
