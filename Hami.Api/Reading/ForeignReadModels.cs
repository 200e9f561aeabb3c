using Hami.Api.Plumbing;
using Npgsql;

namespace Hami.Api.Reading;

/// <summary>
/// Read models of another log than the one that is there: a backup older than they are was restored, of the log or of everything.
/// They are then said to have no shape and to have folded nothing, so that they are built anew, and Marten's daemon to have begun nowhere.
/// </summary>
internal static class ForeignReadModels
{
    private const string AreTablesThere =
        $"select to_regclass('{MartenSetup.Schema}.journal_head') is not null and to_regclass('{MartenSetup.Schema}.mt_event_progression') is not null";

    // They are ahead of the log, or the event they stand at is not there or another one; or the daemon is ahead of the numbers, and would pass over what
    // is appended next. (It may be ahead of the last event: numbers that were given up stand behind that.)
    private const string Forget = $"""
        with head as (select h.position, greatest(h.position, s.last_value) as number from {MartenSetup.Schema}.journal_head h, {MartenSetup.Schema}.mt_events_sequence s),
        foreign_ones as (
            update {ReadTables.Head} r set position = 0, shape = 0, hash = '' from head
            where r.position > head.position
                or r.hash <> '' and not exists (select from {MartenSetup.Schema}.mt_events e where e.seq_id = r.position and e.headers ->> 'hash' = r.hash)
                or exists (select from {MartenSetup.Schema}.mt_event_progression p where p.last_seq_id > head.number)
            returning 1),
        daemon as (
            delete from {MartenSetup.Schema}.mt_event_progression where name = '{ReadModelsProjection.Name}:All' and exists (select from foreign_ones)),
        high_water as (
            update {MartenSetup.Schema}.mt_event_progression p set last_seq_id = head.position from head
            where p.name = 'HighWaterMark' and p.last_seq_id > head.number and exists (select from foreign_ones))
        select exists (select from foreign_ones)
        """;

    /// <summary>Whether there were any; they are forgotten, so that they are built anew.</summary>
    public static async Task<bool> ForgetAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        return await IsTrueAsync(AreTablesThere) && await IsTrueAsync(Forget);

        async Task<bool> IsTrueAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, connection);
            return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
        }
    }
}
