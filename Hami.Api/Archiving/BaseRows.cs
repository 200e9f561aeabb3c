using Hami.Api.Plumbing;
using Hami.Api.Reading;
using Hami.Domain.Reading;
using Npgsql;

namespace Hami.Api.Archiving;

/// <summary>The read models as they were at the log's horizon: what could still change there, and the usage ledger whole. Builds begin with them.</summary>
/// <remarks>
/// They are the tables of generation 0. What is before the horizon cannot be folded again, so whoever raises <see cref="ReadTables.Shape"/> must
/// bring these tables into the new shape where <see cref="ReadAsync"/> meets the old one (what a new column says of archived history can only be
/// a default), or have operators put the log back first, as the sentence says that builds then end with.
/// </remarks>
internal sealed record BaseRows(OpenRows Open, IReadOnlyList<UsageRow> Usage, IReadOnlyList<CardDayRow> Cards)
{
    public const int Generation = 0;

    /// <summary>A shape that is brought into today's: it knew neither since when a card is as large as it is, nor on which of its cards a pod is counted.</summary>
    private const int WithoutSizes = 2;

    // Where the next ones are made, until they are put in the place of the former.
    private const int Coming = int.MaxValue;
    private const int WrittenAtOnce = 20_000;

    public static readonly BaseRows None = new(OpenRows.None, [], []);

    /// <summary>Null when they are not there, or of another shape.</summary>
    public static async Task<BaseRows?> ReadAsync(NpgsqlConnection connection, Horizon horizon, CancellationToken cancellationToken)
    {
        await using var exists = new NpgsqlCommand($"select to_regclass('{Table(ReadTables.Allocation)}') is not null", connection);
        if (horizon.Shape is not (ReadTables.Shape or WithoutSizes) || !(bool)(await exists.ExecuteScalarAsync(cancellationToken))!)
            return null;
        var open = await ReadRows.OpenAsync(connection, Generation, cancellationToken);
        return new(
            horizon.Shape == WithoutSizes ? WithSizes(open) : open, await AllAsync<UsageRow>(ReadTables.UsageTable), await AllAsync<CardDayRow>(ReadTables.CardDay));

        async Task<List<T>> AllAsync<T>(ReadTable table)
        {
            await using var command = new NpgsqlCommand($"select row_to_json(t) from {Table(table)} t", connection) { CommandTimeout = 0 };
            return await ReadRows.ReadAsync<T>(command, cancellationToken);
        }
    }

    /// <summary>Where a build begins: at the log's horizon with the rows of then, or at the first event with none.</summary>
    public static async Task<(LogPlace Place, BaseRows Rows)> BeginAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (await Horizon.ReadAsync(connection, cancellationToken) is not { } horizon)
            return (LogPlace.Beginning, None);
        return await ReadAsync(connection, horizon, cancellationToken) is { } rows
            ? (horizon.Place, rows)
            : throw new ArchivedHistoryException(
                $"The read models cannot be built: their rows as they were at the horizon of the log, event {horizon.Position}, are {(horizon.Shape == ReadTables.Shape ? "missing" : $"of shape {horizon.Shape}, not {ReadTables.Shape}")}; "
                + "put the log back with hami-api archive --restore, and archive it again.");
    }

    /// <summary>All rows, to be written.</summary>
    public ReadChanges ToChanges()
    {
        var changes = ReadChanges.Of(Open);
        foreach (var row in Usage)
            changes.Usage.Add(row);
        foreach (var row in Cards)
            changes.Usage.Add(row);
        return changes;
    }

    /// <summary>Writes them beside those in force; they count once <see cref="Replace"/> was executed.</summary>
    public async Task WriteAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await ExecuteAsync(ReadSql.CreateTables(Coming));
        await ExecuteAsync(ReadSql.CreateIndexes(Coming));
        await WriteAsync(ReadChanges.Of(Open));
        foreach (var rows in Usage.Chunk(WrittenAtOnce))
            await WriteSomeAsync(changes => Array.ForEach(rows, changes.Usage.Add));
        foreach (var rows in Cards.Chunk(WrittenAtOnce))
            await WriteSomeAsync(changes => Array.ForEach(rows, changes.Usage.Add));

        Task WriteSomeAsync(Action<ReadChanges> fill)
        {
            var changes = new ReadChanges();
            fill(changes);
            return WriteAsync(changes);
        }

        async Task WriteAsync(ReadChanges changes)
        {
            foreach (var (sql, json) in ReadSql.Write(changes, Coming, "$1"))
                await ExecuteAsync(sql, json);
        }

        async Task ExecuteAsync(string sql, params object[] values)
        {
            await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
            foreach (var value in values)
                command.Parameters.Add(new() { Value = value });
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    /// <summary>SQL that puts those written last into force.</summary>
    public static string Replace =>
        $"drop schema if exists {ReadTables.SchemaOf(Generation)} cascade; alter schema {ReadTables.SchemaOf(Coming)} rename to {ReadTables.SchemaOf(Generation)};";

    /// <summary>SQL that forgets them.</summary>
    public static string Drop => $"drop schema if exists {ReadTables.SchemaOf(Generation)} cascade;";

    /// <summary>As they would be had they been folded today, but that a card's size before the horizon is taken to be that at it: nobody can ask for it.</summary>
    private static OpenRows WithSizes(OpenRows former)
    {
        var allocations = former.Allocations.ToDictionary(a => a.Id);
        return former with
        {
            Devices = [.. former.Devices.Select(d => d with { SizedAt = d.RegisteredAt })],
            Holdings = [.. former.Holdings.Select(h => h with { Pods = HoldingRow.CountedOn(allocations[h.AllocationId].Shares) == h.DeviceUuid ? 1 : 0 })],
        };
    }

    private static string Table(ReadTable table) => $"{ReadTables.SchemaOf(Generation)}.{table.Name}";
}
