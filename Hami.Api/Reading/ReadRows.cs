using System.Globalization;
using Hami.Domain.Reading;
using Npgsql;

namespace Hami.Api.Reading;

/// <summary>Which generation of the read models is in force, and how far it has folded the log.</summary>
internal sealed record ReadHead(int Generation, int Shape, long Position);

/// <summary>Rows of the read models, from whatever statement selects them.</summary>
internal static class ReadRows
{
    /// <summary>The rows that a select gives, its alias being <c>t</c>: <c>select row_to_json(t) from hami_read.allocation t where …</c>.</summary>
    public static async Task<List<T>> ReadAsync<T>(NpgsqlCommand select, CancellationToken cancellationToken)
    {
        var rows = new List<T>();
        await using var reader = await select.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            rows.Add(ReadJson.Row<T>(reader.GetString(0)));
        return rows;
    }

    /// <summary>Null before the first generation is in force.</summary>
    public static async Task<ReadHead?> HeadAsync(NpgsqlConnection connection, bool locked, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand($"select generation, shape, position from {ReadTables.Head}{(locked ? " for update" : "")}", connection);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken) ? new(row.GetInt32(0), row.GetInt32(1), row.GetInt64(2)) : null;
    }

    /// <summary>What can still change in a generation.</summary>
    public static async Task<OpenRows> OpenAsync(NpgsqlConnection connection, int generation, CancellationToken cancellationToken)
    {
        return new(
            await OpenAsync<NodeRow>(ReadTables.Node, "removed_at is null"),
            await OpenAsync<DeviceRow>(ReadTables.Device, "is_registered or used_slots > 0 or cordoned_at is not null"),
            await OpenAsync<AllocationRow>(ReadTables.Allocation, "released_at is null"),
            await OpenAsync<HoldingRow>(ReadTables.Holding, "held_until is null"),
            await OpenAsync<RefusalRow>(ReadTables.Refusal, "ended_at is null"));

        async Task<List<T>> OpenAsync<T>(ReadTable table, string isOpen)
        {
            await using var command = new NpgsqlCommand(
                string.Create(CultureInfo.InvariantCulture, $"select row_to_json(t) from {ReadTables.SchemaOf(generation)}.{table.Name} t where {isOpen}"), connection);
            return await ReadAsync<T>(command, cancellationToken);
        }
    }
}
