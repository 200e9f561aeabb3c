using System.Data;
using Hami.Domain.Reading;
using Npgsql;

namespace Hami.Api.Reading;

/// <summary>Which part of the usage ledger is asked for; null takes all.</summary>
/// <param name="From">First UTC day.</param>
/// <param name="To">Last UTC day.</param>
internal sealed record UsageFilter(
    DateOnly From, DateOnly To, string? Namespace = null, string? OwnerKind = null, string? OwnerName = null, string? Node = null, string? DeviceUuid = null);

/// <summary>The usage ledger up to a moment.</summary>
/// <param name="Usage">By day, namespace, owner, node and card.</param>
/// <param name="Cards">By day, node and card; not narrowed by namespace or owner, as a card's idle time is nobody's.</param>
/// <param name="Until">Up to when use is counted.</param>
internal sealed record UsageLedger(IReadOnlyList<UsageRow> Usage, IReadOnlyList<CardDayRow> Cards, DateTimeOffset Until);

/// <summary>Reads the usage ledger: what is in the tables, and what follows from what is held since each card's last event.</summary>
/// <remarks>Use that goes on is never written down before it changes: so the tables are the same whoever asks, and whenever.</remarks>
internal sealed class UsageReader(NpgsqlDataSource database, TimeProvider time)
{
    private const string OfCard = "and ($3::text is null or node = $3) and ($4::text is null or device_uuid = $4)";

    public async Task<UsageLedger> ReadAsync(UsageFilter filter, CancellationToken cancellationToken)
    {
        var until = time.GetUtcNow();
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        // One snapshot, and one generation: what is open follows on what is closed. In the order in which they are swapped, lest two wait for each other.
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
        await using (var hold = new NpgsqlCommand($"lock table {ReadTables.Holdings}, {ReadTables.Devices}, {ReadTables.Usage}, {ReadTables.CardDays} in access share mode", connection))
            await hold.ExecuteNonQueryAsync(cancellationToken);
        var usage = await SelectAsync<UsageRow>(
            $"""
            select row_to_json(t) from {ReadTables.Usage} t where day between $1 and $2 {OfCard}
                and ($5::text is null or namespace = $5) and ($6::text is null or owner_kind = $6) and ($7::text is null or owner_name = $7)
            """, filter.From, filter.To, filter.Node, filter.DeviceUuid, filter.Namespace, filter.OwnerKind, filter.OwnerName);
        var cards = await SelectAsync<CardDayRow>($"select row_to_json(t) from {ReadTables.CardDays} t where day between $1 and $2 {OfCard}", filter.From, filter.To, filter.Node, filter.DeviceUuid);
        var devices = await SelectAsync<DeviceRow>(
            $"select row_to_json(t) from {ReadTables.Devices} t where (is_registered or used_slots > 0) and accounted_to < $1 and ($2::text is null or node = $2) and ($3::text is null or uuid = $3)",
            new DateTimeOffset(filter.To.AddDays(1).ToDateTime(TimeOnly.MinValue), TimeSpan.Zero), filter.Node, filter.DeviceUuid);
        var holdings = await SelectAsync<HoldingRow>(
            $"select row_to_json(t) from {ReadTables.Holdings} t where held_until is null and ($1::text is null or node = $1) and ($2::text is null or device_uuid = $2) order by position", filter.Node, filter.DeviceUuid);

        var holders = holdings.ToLookup(h => (h.Node, h.DeviceUuid));
        var open = new UsageSums();
        foreach (var row in usage)
            open.Add(row);
        foreach (var row in cards)
            open.Add(row);
        foreach (var device in devices)
            open.Add(device, [.. holders[(device.Node, device.Uuid)]], until);
        return new(
            [.. open.Usage.Where(u => Matches(filter, u)).OrderBy(u => u.Day).ThenBy(u => u.Namespace, StringComparer.Ordinal).ThenBy(u => u.OwnerKind, StringComparer.Ordinal)
                .ThenBy(u => u.OwnerName, StringComparer.Ordinal).ThenBy(u => u.Node, StringComparer.Ordinal).ThenBy(u => u.DeviceUuid, StringComparer.Ordinal)],
            [.. open.Cards.Where(c => c.Day >= filter.From && c.Day <= filter.To).OrderBy(c => c.Day).ThenBy(c => c.Node, StringComparer.Ordinal).ThenBy(c => c.DeviceUuid, StringComparer.Ordinal)],
            until);

        async Task<List<T>> SelectAsync<T>(string sql, params object?[] values)
        {
            await using var select = new NpgsqlCommand(sql, connection);
            foreach (var value in values)
                select.Parameters.Add(new() { Value = value ?? DBNull.Value });
            return await ReadRows.ReadAsync<T>(select, cancellationToken);
        }
    }

    private static bool Matches(UsageFilter filter, UsageRow row) =>
        row.Day >= filter.From && row.Day <= filter.To
        && (filter.Namespace is null || row.Namespace == filter.Namespace)
        && (filter.OwnerKind is null || row.OwnerKind == filter.OwnerKind)
        && (filter.OwnerName is null || row.OwnerName == filter.OwnerName);
}
