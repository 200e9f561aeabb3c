using Npgsql;

namespace Hami.Api.Plumbing;

/// <summary>Reads where the log ends, without the writers' lock.</summary>
internal static class JournalHeads
{
    private const string Sql = $"select position, hash, at from {MartenSetup.Schema}.journal_head where position > 0";

    // Set when it is behind only, so that one of many processes does it.
    private const string ShowSql = $"""
        select h.position, case when s.last_value < h.position or not s.is_called then setval('{MartenSetup.Schema}.mt_events_sequence', h.position) end
        from {MartenSetup.Schema}.journal_head h, {MartenSetup.Schema}.mt_events_sequence s where h.position > 0
        """;

    /// <summary>The head's position, 0 for an empty log; Marten's daemon, which goes by the sequence of its table, then reads up to there.</summary>
    /// <remarks>After the commit, never in it: a sequence keeps what is rolled back, and the daemon would in the end pass over events that are not there yet.</remarks>
    public static async Task<long> ShowAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(ShowSql, connection);
        return await command.ExecuteScalarAsync(cancellationToken) as long? ?? 0;
    }

    /// <summary>Null for an empty log.</summary>
    public static async Task<JournalHead?> ReadAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return await ReadAsync(connection, cancellationToken);
    }

    /// <inheritdoc cref="ReadAsync(NpgsqlDataSource, CancellationToken)"/>
    public static async Task<JournalHead?> ReadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Sql, connection);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken) ? new(row.GetInt64(0), row.GetString(1), row.GetFieldValue<DateTimeOffset>(2)) : null;
    }
}
