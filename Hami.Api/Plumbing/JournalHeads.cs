using Npgsql;

namespace Hami.Api.Plumbing;

/// <summary>Reads where the log ends, without the writers' lock.</summary>
internal static class JournalHeads
{
    private const string Sql = $"select position, hash, at from {MartenSetup.Schema}.journal_head where position > 0";

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
