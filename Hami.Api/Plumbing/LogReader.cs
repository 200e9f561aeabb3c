using Hami.Domain.Ledger;
using JasperFx.Events;
using Marten;
using Npgsql;

namespace Hami.Api.Plumbing;

/// <summary>The log in PostgreSQL is not the one we followed: a backup older than that was restored, or another database is there now.</summary>
internal sealed class AnotherLogException(long position)
    : Exception($"The log in PostgreSQL is not the one that was followed up to position {position}: it ends before, or holds another event there.");

/// <summary>A place in the log that has been reached.</summary>
/// <param name="Position">Sequence of the event there; 0 before the first.</param>
/// <param name="Hash">Its hash in the chain.</param>
internal sealed record LogPlace(long Position, string Hash)
{
    public static readonly LogPlace Beginning = new(0, EventHash.Genesis);
}

/// <summary>Events from a place on, and the place after them.</summary>
internal sealed record LogPage(List<Recorded> Events, LogPlace End);

/// <summary>Reads the log onward in its order. What is committed has no gaps, as there is one writer at a time: no lock is needed.</summary>
internal static class LogReader
{
    /// <summary>The next events, at most so many.</summary>
    /// <exception cref="AnotherLogException">The event at the place is missing or another one.</exception>
    /// <exception cref="ArchivedHistoryException">What follows the place was archived.</exception>
    /// <exception cref="UnreadableEventException">There is an event that this program does not know.</exception>
    public static async Task<LogPage> ReadOnAsync(IQuerySession session, LogPlace from, int most, CancellationToken cancellationToken)
    {
        // The event at the place is read once more: were it another, what follows would not fit what we know.
        var again = from.Position > 0 ? 1 : 0;
        var events = await NamedAsync(session, from.Position, () => session.Events.QueryAllRawEvents()
            .Where(e => e.Sequence >= from.Position).OrderBy(e => e.Sequence).Take(most + again).ToListAsync(cancellationToken), cancellationToken);
        if (again > 0 && (events.Count == 0 || PlaceOf(events[0]) != from))
            throw new AnotherLogException(from.Position);
        // Rows are missing where positions are: either they were never given to an event, or the events were archived.
        if (events.Count > 0 && events[^1].Sequence - from.Position + again != events.Count && await HorizonAsync(session, cancellationToken) is { } horizon && from.Position < horizon.Position)
            throw horizon.Before($"What follows event {from.Position}");
        return new(
            [.. events.Skip(again).Select(Recorded)],
            events.Count > again ? PlaceOf(events[^1]) : from);
    }

    /// <summary>An event of Marten's as the fold takes it.</summary>
    public static Recorded Recorded(IEvent e) => new(e.Sequence, e.Timestamp, e.StreamKey!, e.Data);

    /// <summary>Marten names the .NET type of an event it does not know; people know it by its place and the name it is stored under.</summary>
    private static async Task<T> NamedAsync<T>(IQuerySession session, long from, Func<Task<T>> read, CancellationToken cancellationToken)
    {
        try
        {
            return await read();
        }
        catch (Exception e) when (e is Marten.Exceptions.UnknownEventTypeException or JasperFx.Events.UnknownEventTypeException)
        {
            await using var connection = session.Database.CreateConnection();
            await connection.OpenAsync(cancellationToken);
            await using var command = new NpgsqlCommand($"select seq_id, type from {MartenSetup.Schema}.mt_events where seq_id >= $1 and type <> all($2) order by seq_id limit 1", connection);
            command.Parameters.Add(new() { Value = from });
            command.Parameters.Add(new() { Value = session.DocumentStore.Options.Events.AllKnownEventTypes().Select(t => t.EventTypeName).ToArray() });
            await using var row = await command.ExecuteReaderAsync(cancellationToken);
            if (!await row.ReadAsync(cancellationToken))
                throw;
            throw new UnreadableEventException(row.GetInt64(0), EventTypes.Unknown(row.GetString(1)), e);
        }
    }

    // Over a connection of its own: the session's may have begun a snapshot before the rows were taken away.
    private static async Task<Horizon?> HorizonAsync(IQuerySession session, CancellationToken cancellationToken)
    {
        await using var connection = session.Database.CreateConnection();
        await connection.OpenAsync(cancellationToken);
        return await Horizon.ReadAsync(connection, cancellationToken);
    }

    private static LogPlace PlaceOf(IEvent e) => new(e.Sequence, e.GetHeader("hash")?.ToString() ?? "");
}
