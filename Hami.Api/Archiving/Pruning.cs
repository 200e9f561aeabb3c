using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Npgsql;

namespace Hami.Api.Archiving;

/// <summary>Takes out of the database what is in a file.</summary>
internal static class Pruning
{
    /// <summary>What ended by a moment, in each table of the read models; what was held or there at it stays, and so does the usage ledger.</summary>
    private static readonly (ReadTable Table, string Ended)[] Ends =
    [
        (ReadTables.Holding, "held_until <= $1"),
        (ReadTables.Allocation, "released_at <= $1"),
        (ReadTables.CardSize, "sized_until <= $1"),
        (ReadTables.Refusal, "ended_at <= $1"),
        (ReadTables.Node, "removed_at <= $1"),
        (ReadTables.Device, "accounted_to <= $1 and not is_registered and used_slots = 0 and cordoned_at is null"),
    ];

    /// <summary>Moves the horizon, all in one transaction.</summary>
    /// <param name="stay">Positions before the horizon that stay.</param>
    /// <returns>How many rows of the log left.</returns>
    public static async Task<long> CutAsync(NpgsqlConnection connection, Horizon horizon, IReadOnlyList<long> stay, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        // Nobody else touches these rows, so nobody waits for it, however many they are.
        var deleted = await ExecuteAsync(
            connection,
            $"delete from {MartenSetup.Schema}.mt_events e where e.seq_id < $1 and not exists (select from unnest($2) stays(position) where stays.position = e.seq_id)",
            cancellationToken, horizon.Position, stay.ToArray());
        await ExecuteAsync(connection, $"delete from {MartenSetup.Schema}.checkpoint where position < $1", cancellationToken, horizon.Position);
        var inForce = (await ReadRows.HeadAsync(connection, locked: false, cancellationToken))!;
        foreach (var (table, ended) in Ends)
            await ExecuteAsync(connection, $"delete from {ReadTables.SchemaOf(inForce.Generation)}.{table.Name} where {ended}", cancellationToken, horizon.At.ToUniversalTime());
        await ExecuteAsync(connection, BaseRows.Replace, cancellationToken);
        await ExecuteAsync(
            connection,
            $"insert into {Horizon.Table} (first, position, hash, at, events, file, sha256, shape, archived_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            cancellationToken, horizon.First, horizon.Position, horizon.Hash, horizon.At.ToUniversalTime(), horizon.Events, horizon.File, horizon.Sha256, horizon.Shape, now.ToUniversalTime());
        await transaction.CommitAsync(cancellationToken);
        return deleted;
    }

    /// <summary>Forgets the numbers of streams that have no row and get none any more: those of pods. A node's, a quota's and the policy's go on for ever.</summary>
    /// <remarks>A few at a time and each time in the journal's turn, so that none gets an event in between; a run that is ended here is finished by the next.</remarks>
    /// <returns>How many.</returns>
    public static async Task<long> ForgetStreamsAsync(NpgsqlConnection connection, int atOnce, CancellationToken cancellationToken)
    {
        const string WithoutRow = $"starts_with(s.id, 'pod/') and not exists (select from {MartenSetup.Schema}.mt_events e where e.stream_id = s.id)";
        var streams = new List<string>();
        await using (var command = new NpgsqlCommand($"select s.id from {MartenSetup.Schema}.mt_streams s where {WithoutRow}", connection) { CommandTimeout = 0 })
        await using (var rows = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await rows.ReadAsync(cancellationToken))
                streams.Add(rows.GetString(0));
        }
        var forgotten = 0L;
        foreach (var some in streams.Chunk(atOnce))
        {
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            await JournalTables.LockAsync(transaction, cancellationToken);
            forgotten += await ExecuteAsync(connection, $"delete from {MartenSetup.Schema}.mt_streams s where s.id = any($1) and {WithoutRow}", cancellationToken, [some]);
            await transaction.CommitAsync(cancellationToken);
        }
        return forgotten;
    }

    public static async Task<long> ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken, params object[] values)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        foreach (var value in values)
            command.Parameters.Add(new() { Value = value });
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
