using System.Diagnostics;
using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Hami.Domain.Replaying;
using Npgsql;
using NpgsqlTypes;

namespace Hami.Api.Archiving;

/// <summary>What was put back.</summary>
/// <param name="Files">How many files were read.</param>
/// <param name="Rows">Rows that the database had not any more.</param>
internal sealed record RestoreReport(int Files, long Events, long Rows, BuiltReadModels ReadModels, double Seconds);

/// <summary>Puts archived history back, so that the log has everything from its first event on.</summary>
/// <remarks>The rows in one transaction, which also ends the horizon; then the read models are built anew; only then the files are forgotten. It can be called again at any point.</remarks>
internal sealed class Restoring(NpgsqlDataSource database, ReadModelsBuild build)
{
    private const int MostNamed = 5;

    /// <summary>Puts back what all files of a folder hold.</summary>
    /// <exception cref="NotArchivedException">A file is missing, or is not what was written.</exception>
    public async Task<RestoreReport> RunAsync(string folder, CancellationToken cancellationToken)
    {
        var begin = Stopwatch.GetTimestamp();
        List<Horizon> files;
        long restored;
        await using (var turn = await BuildersTurn.TakeAsync(database, cancellationToken))
        {
            files = await Horizon.AllAsync(turn.Connection, cancellationToken);
            if (files.Count == 0)
                throw new NotArchivedException("There is nothing to put back: the log has everything from its first event on.");
            restored = await PutBackAsync(turn.Connection, folder, files, cancellationToken);
        }
        // Those in force lack what had ended by the horizon.
        var built = await build.RebuildAsync(cancellationToken);
        await using (var turn = await BuildersTurn.TakeAsync(database, cancellationToken))
        {
            await using var transaction = await turn.Connection.BeginTransactionAsync(cancellationToken);
            await Pruning.ExecuteAsync(turn.Connection, $"delete from {Horizon.Table} where restored; {BaseRows.Drop}", cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }
        return new(files.Count, files.Sum(f => f.Events), restored, built, Stopwatch.GetElapsedTime(begin).TotalSeconds);
    }

    private static async Task<long> PutBackAsync(NpgsqlConnection connection, string folder, List<Horizon> files, CancellationToken cancellationToken)
    {
        const string Events = $"{MartenSetup.Schema}.mt_events", Columns = "seq_id, stream_id, version, type, data, timestamp, id, mt_dotnet_type, headers, is_archived";
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await Pruning.ExecuteAsync(connection, $"create temporary table archived on commit drop as select {Columns} from {Events} limit 0", cancellationToken);
        await CopyAsync(connection, $"copy archived ({Columns}) from stdin (format binary)", folder, files, cancellationToken);
        // PostgreSQL takes a table that it knows nothing of for a small one.
        await Pruning.ExecuteAsync(connection, "alter table archived add primary key (seq_id); analyze archived", cancellationToken);
        await using (var others = new NpgsqlCommand(
            $"select e.seq_id from {Events} e join archived a using (seq_id) where e.seq_id <= {files[^1].Position} and ({Row("e")}) is distinct from ({Row("a")}) order by 1 limit 1", connection) { CommandTimeout = 0 })
        {
            if (await others.ExecuteScalarAsync(cancellationToken) is long position)
                throw new NotArchivedException($"Nothing was put back: row {position}, which was kept in the database, is another than the one in the archive; see hami-api audit verify --archive {folder}.");
        }
        try
        {
            await RenumberAsync(connection, transaction, files[^1].Position, cancellationToken);
            await Pruning.ExecuteAsync(
                connection, $"insert into {MartenSetup.Schema}.mt_streams (id, version) select stream_id, max(version) from archived group by stream_id on conflict do nothing", cancellationToken);
            var restored = await Pruning.ExecuteAsync(connection, $"insert into {Events} ({Columns}) select {Columns} from archived order by seq_id on conflict (seq_id) do nothing", cancellationToken);
            await Pruning.ExecuteAsync(connection, $"update {Horizon.Table} set restored = true", cancellationToken);
            await transaction.CommitAsync(cancellationToken);
            return restored;
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UniqueViolation)
        {
            throw new NotArchivedException($"Nothing was put back: a row of the database has the number in its stream that an archived one has ({e.Detail}).");
        }

        static string Row(string of) => string.Join(", ", Columns.Split(", ").Select(c => $"{of}.{c}"));
    }

    /// <summary>A pod of whom nothing was heard for long, and then something again, has begun to count anew: its events get the numbers that they would have had.</summary>
    private static async Task RenumberAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, long horizon, CancellationToken cancellationToken)
    {
        const string Events = $"{MartenSetup.Schema}.mt_events";
        await Pruning.ExecuteAsync(
            connection,
            $"""
            create temporary table again on commit drop as select stream_id from (
                select stream_id, version from archived
                union all select stream_id, version from {Events} where seq_id > {horizon} and starts_with(stream_id, 'pod/')) e
            group by stream_id having count(*) > count(distinct version)
            """, cancellationToken);
        await using (var any = new NpgsqlCommand("select exists (select from again)", connection))
        {
            if (!(bool)(await any.ExecuteScalarAsync(cancellationToken))!)
                return;
        }
        // Nobody appends to them meanwhile. By way of numbers that nobody has, as each must be another than all others at any time.
        await JournalTables.LockAsync(transaction, cancellationToken);
        await Pruning.ExecuteAsync(
            connection,
            $"""
            create temporary table numbered on commit drop as select seq_id, stream_id, row_number() over (partition by stream_id order by seq_id) as version
                from (select seq_id, stream_id from archived union select seq_id, stream_id from {Events}) e where stream_id in (select stream_id from again);
            update archived a set version = n.version from numbered n where n.seq_id = a.seq_id;
            update {Events} e set version = -n.version from numbered n where n.seq_id = e.seq_id;
            update {Events} set version = -version where version < 0;
            update {MartenSetup.Schema}.mt_streams s set version = (select max(version) from numbered n where n.stream_id = s.id) where s.id in (select stream_id from again);
            """, cancellationToken);
    }

    private static async Task CopyAsync(NpgsqlConnection connection, string copy, string folder, List<Horizon> files, CancellationToken cancellationToken)
    {
        var findings = new List<Finding>();
        await using var import = await connection.BeginBinaryImportAsync(copy, cancellationToken);
        foreach (var file in files)
        {
            var read = 0L;
            await foreach (var row in ArchiveFile.ReadAsync(folder, file, findings, cancellationToken))
            {
                read++;
                await import.StartRowAsync(cancellationToken);
                await import.WriteAsync(row.Log.Position, NpgsqlDbType.Bigint, cancellationToken);
                await import.WriteAsync(row.Log.Stream, NpgsqlDbType.Varchar, cancellationToken);
                await import.WriteAsync(row.Log.Version, NpgsqlDbType.Bigint, cancellationToken);
                await import.WriteAsync(row.Log.Type, NpgsqlDbType.Varchar, cancellationToken);
                await import.WriteAsync(row.Log.Body, NpgsqlDbType.Jsonb, cancellationToken);
                await import.WriteAsync(row.Log.At.ToUniversalTime(), NpgsqlDbType.TimestampTz, cancellationToken);
                await import.WriteAsync(row.Id, NpgsqlDbType.Uuid, cancellationToken);
                await WriteAsync(row.DotNetType, NpgsqlDbType.Varchar);
                await WriteAsync(row.Headers, NpgsqlDbType.Jsonb);
                await import.WriteAsync(row.Log.IsArchived, NpgsqlDbType.Boolean, cancellationToken);
            }
            if (findings.Count == 0 && read != file.Events)
                findings.Add(new(file.Position, null, $"{file.File} has {read} events, not {file.Events}"));
        }
        if (findings.Count > 0)
            throw new NotArchivedException($"Nothing was put back: {string.Join("; ", findings.Take(MostNamed).Select(f => f.What))}.");
        await import.CompleteAsync(cancellationToken);

        Task WriteAsync(string? text, NpgsqlDbType type) => text is null ? import.WriteNullAsync(cancellationToken) : import.WriteAsync(text, type, cancellationToken);
    }
}
