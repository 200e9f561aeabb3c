using System.Data.Common;
using Npgsql;

namespace Hami.Api.Plumbing;

/// <summary>History that was asked for was moved out of the database.</summary>
internal sealed class ArchivedHistoryException(string message) : Exception(message);

/// <summary>Where the log in the database begins: everything before was moved into a file, see <c>hami-api archive</c>.</summary>
/// <param name="First">First event that the file holds.</param>
/// <param name="Position">The last one. Its row stays, too: what follows is chained to it.</param>
/// <param name="Hash">Its hash in the chain.</param>
/// <param name="At">Its time; the event after it is later.</param>
/// <param name="Events">How many events the file holds.</param>
/// <param name="File">Its name, without a folder.</param>
/// <param name="Sha256">Of the file, in hexadecimal.</param>
/// <param name="Shape">Shape of the read models that were kept as they were there, see <see cref="Reading.ReadTables.Shape"/>.</param>
internal sealed record Horizon(long First, long Position, string Hash, DateTimeOffset At, long Events, string File, string Sha256, int Shape)
{
    public const string Table = $"{MartenSetup.Schema}.horizon";

    /// <summary>SQL that creates the table when it is missing; a row for each file, the last of which is the horizon.</summary>
    internal const string Create = $"""

        create table if not exists {Table} (
            first bigint not null,
            position bigint primary key,
            hash text not null,
            at timestamptz not null,
            events bigint not null,
            file text not null,
            sha256 text not null,
            shape integer not null,
            archived_at timestamptz not null,
            restored boolean not null default false);
        """;

    private const string Columns = "first, position, hash, at, events, file, sha256, shape";

    /// <summary>The event that the log in the database begins after.</summary>
    public LogPlace Place => new(Position, Hash);

    private string Moment => At.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.ffffff'Z'");

    /// <summary>Null while nothing was archived, and after all was put back.</summary>
    public static async Task<Horizon?> ReadAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return await ReadAsync(connection, cancellationToken);
    }

    /// <inheritdoc cref="ReadAsync(NpgsqlDataSource, CancellationToken)"/>
    public static async Task<Horizon?> ReadAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        (await AllAsync(connection, "not restored", cancellationToken)) is [.., var last] ? last : null;

    /// <summary>Refuses a moment of which nothing is known any more.</summary>
    /// <exception cref="ArchivedHistoryException">It is before the horizon.</exception>
    public static async Task MustHaveAsync(NpgsqlDataSource database, DateTimeOffset at, CancellationToken cancellationToken)
    {
        if (await ReadAsync(database, cancellationToken) is { } horizon && at < horizon.At)
            throw horizon.Before($"{at.UtcDateTime:yyyy-MM-dd HH:mm:ss'Z'}");
    }

    /// <summary>Every file of the log, in its order; also those that are being put back.</summary>
    public static Task<List<Horizon>> AllAsync(NpgsqlConnection connection, CancellationToken cancellationToken) => AllAsync(connection, "true", cancellationToken);

    /// <summary>Why nothing is known of a moment, or an event, before it.</summary>
    public ArchivedHistoryException Before(string asked) => new(
        $"{asked} is before the horizon of the log: what happened up to event {Position} at {Moment} was moved to {File}{(First > 1 ? " and the files before it" : "")}; "
        + "ask for a later moment, or put it back with hami-api archive --restore.");

    /// <summary>Why nothing can be folded at all.</summary>
    public ArchivedHistoryException WithoutCheckpoint() => new(
        $"The log in the database begins after event {Position}, the rest is in {File}{(First > 1 ? " and the files before it" : "")}, and there is no checkpoint at event {Position} or later that can be used: "
        + "put the log back with hami-api archive --restore; nothing is folded from the middle.");

    private static async Task<List<Horizon>> AllAsync(NpgsqlConnection connection, string which, CancellationToken cancellationToken)
    {
        var all = new List<Horizon>();
        // A database that no process of this version has started on lacks the table.
        await using (var exists = new NpgsqlCommand($"select to_regclass('{Table}') is not null", connection))
        {
            if (!(bool)(await exists.ExecuteScalarAsync(cancellationToken))!)
                return all;
        }
        await using var command = new NpgsqlCommand($"select {Columns} from {Table} where {which} order by position", connection);
        await using var rows = await command.ExecuteReaderAsync(cancellationToken);
        while (await rows.ReadAsync(cancellationToken))
            all.Add(Of(rows));
        return all;
    }

    private static Horizon Of(DbDataReader row) => new(
        row.GetInt64(0), row.GetInt64(1), row.GetString(2), row.GetFieldValue<DateTimeOffset>(3), row.GetInt64(4), row.GetString(5), row.GetString(6), row.GetInt32(7));
}
