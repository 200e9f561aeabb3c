using Hami.Domain.Ledger;
using Npgsql;
using NpgsqlTypes;

namespace Hami.Api.Plumbing;

/// <summary>
/// Appends a group of events by one statement, into the tables and in the form that Marten reads. Marten's own append takes a call for
/// each stream, and a round trip more to move the head.
/// </summary>
internal static class LogAppend
{
    /// <summary>Channel on which the other processes are told of a commit; the payload is its position.</summary>
    public const string Channel = "hami_log";

    // Positions follow the head without gaps, whatever was rolled back before: a projection daemon waits seconds at a gap, as events could still
    // turn up there. So the sequence must not be drawn from; it follows behind, see JournalHeads. It was ahead where Marten drew from it.
    private const string Sql = $"""
        with entry as (
            select * from unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::jsonb[], $6::uuid[]) with ordinality
                as e(stream, type, dotnet_type, body, headers, id, place)),
        stream as (
            insert into {MartenSetup.Schema}.mt_streams as s (id, version, timestamp) select stream, count(*), $7 from entry group by stream
            on conflict (id) do update set version = s.version + excluded.version, timestamp = excluded.timestamp
            returning id, version),
        last as (
            select greatest(h.position, case when s.is_called then s.last_value else 0 end) as position from {MartenSetup.Schema}.journal_head h, {MartenSetup.Schema}.mt_events_sequence s),
        appended as (
            insert into {MartenSetup.Schema}.mt_events (seq_id, stream_id, version, type, mt_dotnet_type, data, headers, id, timestamp)
            select l.position + e.place, e.stream, s.version + 1 - row_number() over (partition by e.stream order by e.place desc), e.type, e.dotnet_type, e.body, e.headers, e.id, $7
            from last l, entry e join stream s on s.id = e.stream
            returning seq_id),
        head as (
            update {MartenSetup.Schema}.journal_head set position = (select max(seq_id) from appended), hash = $8, at = $7
            returning position)
        select (select position from last), pg_notify('{Channel}', position::text) from head
        """;

    /// <summary>The statement; it answers with the position before the first of the entries.</summary>
    public static NpgsqlBatchCommand Of(IReadOnlyList<LogEntry> entries, DateTimeOffset at) => new(Sql)
    {
        Parameters =
        {
            Texts(entries.Select(e => e.Stream)),
            Texts(entries.Select(e => e.Type)),
            Texts(entries.Select(e => e.DotNetType)),
            Jsons(entries.Select(e => e.Json)),
            Jsons(entries.Select(e => e.Headers)),
            new() { Value = entries.Select(_ => Guid.CreateVersion7(at)).ToArray() },
            new() { Value = at.ToUniversalTime() },
            new() { Value = entries[^1].Hash },
        },
    };

    /// <summary>Marks the streams that others go on from; null when there are none.</summary>
    public static NpgsqlBatchCommand? Close(IEnumerable<LogEntry> entries)
    {
        string[] closed = [.. entries.Select(e => e.Event).OfType<NodeEvent.NodeCarriedForward>().Select(e => Streams.Node(e.Node, e.Epoch - 1))];
        return closed.Length == 0 ? null : new($"update {MartenSetup.Schema}.mt_streams set is_archived = true where id = any($1)") { Parameters = { new() { Value = closed } } };
    }

    private static NpgsqlParameter Texts(IEnumerable<string> values) => new() { Value = values.ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text };

    private static NpgsqlParameter Jsons(IEnumerable<string> values) => new() { Value = values.ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Jsonb };
}
