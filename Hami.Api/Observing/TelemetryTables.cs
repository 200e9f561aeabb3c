using System.Globalization;
using Npgsql;
using NpgsqlTypes;

namespace Hami.Api.Observing;

/// <summary>
/// Where sums are kept: a schema of its own, a table for cards and one for shares, both cut by the day, so that what is old is dropped and not
/// deleted. They are no part of the log and may all be lost.
/// </summary>
internal static class TelemetryTables
{
    public const string Schema = "hami_telemetry";
    public const string Cards = $"{Schema}.card_use";
    public const string Shares = $"{Schema}.share_use";

    // Any number will do that nobody else in this database locks: "hamt" in ASCII.
    private const long Lock = 0x68616d74;
    private const int RowsAtOnce = 2000;

    private static readonly (string Name, string Type)[] Columns =
    [
        ("period", "timestamptz"), ("node", "text"), ("device_uuid", "text"), ("pod_uid", "text"), ("container", "text"), ("namespace", "text"),
        ("seen", "bit(300)"), ("moments", "integer"),
        ("busy_sum", "bigint"), ("busy_count", "integer"), ("busy_max", "bigint"),
        ("memory_sum", "bigint"), ("memory_count", "integer"), ("memory_max", "bigint"), ("memory_total", "bigint"),
        ("temperature_sum", "bigint"), ("temperature_count", "integer"), ("temperature_max", "bigint"),
        ("power_sum", "bigint"), ("power_count", "integer"), ("power_max", "bigint"),
        ("energy_first", "bigint"), ("energy_first_second", "integer"), ("energy_last", "bigint"), ("energy_last_second", "integer"),
    ];

    private static readonly string[] Measures = ["busy", "memory", "temperature", "power"];

    public static string Names { get; } = string.Join(", ", Columns.Select(c => c.Name));

    /// <summary>Creates what is missing.</summary>
    public static async Task EnsureAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        var columns = string.Join(", ", Columns.Select(c => $"{c.Name} {c.Type} not null"));
        await LockedAsync(
            database,
            $"""
            create schema if not exists {Schema};
            create table if not exists {Cards} ({columns}, primary key (period, node, device_uuid, pod_uid, container)) partition by range (period);
            create table if not exists {Shares} ({columns}, primary key (period, node, device_uuid, pod_uid, container)) partition by range (period);
            create index if not exists card_use_node on {Cards} (node, period);
            create index if not exists card_use_device on {Cards} (device_uuid, period);
            create index if not exists share_use_namespace on {Shares} (namespace, period);
            create index if not exists share_use_pod on {Shares} (pod_uid, period);
            {TelemetryTotals.Create}
            """,
            cancellationToken);
    }

    /// <summary>Creates the parts of the tables for these days, and drops those of days before.</summary>
    public static async Task KeepDaysAsync(NpgsqlDataSource database, IEnumerable<DateOnly> days, DateOnly oldest, CancellationToken cancellationToken)
    {
        var parts = await PartsAsync(database, cancellationToken);
        var sql = string.Concat(
            from day in days.Where(d => d >= oldest)
            from table in (string[])[Cards, Shares]
            where !parts.Contains((table, day))
            select $"create table if not exists {Part(table, day)} partition of {table} for values from ('{Text(day)}T00:00:00Z') to ('{Text(day.AddDays(1))}T00:00:00Z');\n")
            + string.Concat(parts.Where(p => p.Day < oldest).Select(p => $"drop table if exists {Part(p.Table, p.Day)};\n"))
            + (parts.Any(p => p.Day < oldest) ? $"delete from {TelemetryTotals.Table} where period < '{Text(oldest)}T00:00:00Z';\n" : "");
        if (sql.Length > 0)
            await LockedAsync(database, sql, cancellationToken);
    }

    /// <summary>Writes sums, each added to what is there of its period and series.</summary>
    /// <remarks>Rows of one key may come once in a call.</remarks>
    public static async Task WriteAsync(NpgsqlDataSource database, IReadOnlyCollection<UseRow> rows, CancellationToken cancellationToken)
    {
        foreach (var (table, isCard) in new[] { (Cards, true), (Shares, false) })
        {
            // In one order, so that two processes that write the same rows wait for each other and not both.
            var ordered = rows.Where(r => r.Key.Series.IsCard == isCard)
                .OrderBy(r => r.Key.Period).ThenBy(r => r.Key.Node, StringComparer.Ordinal).ThenBy(r => r.Key.Series.DeviceUuid, StringComparer.Ordinal)
                .ThenBy(r => r.Key.Series.PodUid, StringComparer.Ordinal).ThenBy(r => r.Key.Series.Container, StringComparer.Ordinal);
            foreach (var some in ordered.Chunk(RowsAtOnce))
            {
                await using var command = database.CreateCommand(Upsert(table));
                Fill(command, some);
                await command.ExecuteNonQueryAsync(cancellationToken);
            }
        }
    }

    /// <summary>A row as it is read with <see cref="Names"/>, the bits as text.</summary>
    public static string Selected(string alias) =>
        string.Join(", ", Columns.Select(c => c.Name == "seen" ? $"{alias}.seen::text" : $"{alias}.{c.Name}"));

    public static UseRow Row(System.Data.Common.DbDataReader row) => new(
        new(row.GetFieldValue<DateTimeOffset>(0), row.GetString(1), new(row.GetString(2), row.GetString(3), row.GetString(4))), row.GetString(5),
        new(
            SeenSeconds.Parse(row.GetString(6)), row.GetInt32(7), SumAt(row, 8), SumAt(row, 11), row.GetInt64(14), SumAt(row, 15), SumAt(row, 18),
            new(row.GetInt64(21), row.GetInt32(22), row.GetInt64(23), row.GetInt32(24))));

    private static Sum SumAt(System.Data.Common.DbDataReader row, int column) => new(row.GetInt64(column), row.GetInt32(column + 1), row.GetInt64(column + 2));

    private static string Upsert(string table)
    {
        var source = string.Join(", ", Columns.Select((c, i) => $"${i + 1}::{(c.Name == "seen" ? "text" : c.Type)}[]"));
        var values = string.Join(", ", Columns.Select(c => c.Name == "seen" ? "n.seen::bit(300)" : $"n.{c.Name}"));
        var sums = string.Concat(Measures.Select(m =>
            $"""
            , {m}_sum = o.{m}_sum + excluded.{m}_sum, {m}_count = o.{m}_count + excluded.{m}_count,
            {m}_max = case when o.{m}_count = 0 then excluded.{m}_max when excluded.{m}_count = 0 then o.{m}_max else greatest(o.{m}_max, excluded.{m}_max) end
            """));
        // See UseSums.Merge, which says why, and which this equals.
        const string First = "excluded.energy_first_second >= 0 and (o.energy_first_second < 0 or excluded.energy_first_second < o.energy_first_second)";
        const string Last = "excluded.energy_last_second > o.energy_last_second";
        return $"""
            insert into {table} as o ({Names}) select {values} from unnest({source}) n({Names})
            on conflict (period, node, device_uuid, pod_uid, container) do update set
                seen = o.seen | excluded.seen, moments = o.moments + excluded.moments, memory_total = greatest(o.memory_total, excluded.memory_total){sums},
                energy_first = case when {First} then excluded.energy_first else o.energy_first end,
                energy_first_second = case when {First} then excluded.energy_first_second else o.energy_first_second end,
                energy_last = case when {Last} then excluded.energy_last else o.energy_last end,
                energy_last_second = case when {Last} then excluded.energy_last_second else o.energy_last_second end
            where bit_count(excluded.seen & ~o.seen) > 0
            """;
    }

    private static void Fill(NpgsqlCommand command, UseRow[] rows)
    {
        Add(NpgsqlDbType.TimestampTz, r => r.Key.Period.UtcDateTime);
        Add(NpgsqlDbType.Text, r => r.Key.Node);
        Add(NpgsqlDbType.Text, r => r.Key.Series.DeviceUuid);
        Add(NpgsqlDbType.Text, r => r.Key.Series.PodUid);
        Add(NpgsqlDbType.Text, r => r.Key.Series.Container);
        Add(NpgsqlDbType.Text, r => r.Namespace);
        Add(NpgsqlDbType.Text, r => r.Sums.Seen.ToString());
        Add(NpgsqlDbType.Integer, r => r.Sums.Moments);
        AddSum(s => s.Busy);
        AddSum(s => s.Memory);
        Add(NpgsqlDbType.Bigint, r => r.Sums.MemoryTotal);
        AddSum(s => s.Temperature);
        AddSum(s => s.Power);
        Add(NpgsqlDbType.Bigint, r => r.Sums.Energy.First);
        Add(NpgsqlDbType.Integer, r => r.Sums.Energy.FirstSecond);
        Add(NpgsqlDbType.Bigint, r => r.Sums.Energy.Last);
        Add(NpgsqlDbType.Integer, r => r.Sums.Energy.LastSecond);

        void Add<T>(NpgsqlDbType type, Func<UseRow, T> value) =>
            command.Parameters.Add(new() { Value = rows.Select(value).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | type });

        void AddSum(Func<UseSums, Sum> sum)
        {
            Add(NpgsqlDbType.Bigint, r => sum(r.Sums).Total);
            Add(NpgsqlDbType.Integer, r => sum(r.Sums).Count);
            Add(NpgsqlDbType.Bigint, r => sum(r.Sums).Max);
        }
    }

    private static async Task<HashSet<(string Table, DateOnly Day)>> PartsAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            $"select p.relname, c.relname from pg_inherits i join pg_class p on p.oid = i.inhparent join pg_class c on c.oid = i.inhrelid join pg_namespace n on n.oid = p.relnamespace where n.nspname = '{Schema}' and p.relkind = 'p'");
        await using var rows = await command.ExecuteReaderAsync(cancellationToken);
        var parts = new HashSet<(string, DateOnly)>();
        while (await rows.ReadAsync(cancellationToken))
        {
            var (table, part) = (rows.GetString(0), rows.GetString(1));
            if (part.StartsWith(table + "_", StringComparison.Ordinal)
                && DateOnly.TryParseExact(part[(table.Length + 1)..], "yyyyMMdd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day))
            {
                parts.Add(($"{Schema}.{table}", day));
            }
        }
        return parts;
    }

    // Two processes that create the same at once would not both find that it exists.
    private static async Task LockedAsync(NpgsqlDataSource database, string sql, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using (var turn = new NpgsqlCommand($"select pg_advisory_xact_lock({Lock})", connection, transaction))
            await turn.ExecuteNonQueryAsync(cancellationToken);
        await using (var command = new NpgsqlCommand(sql, connection, transaction))
            await command.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private static string Part(string table, DateOnly day) => $"{table}_{day.ToString("yyyyMMdd", CultureInfo.InvariantCulture)}";

    private static string Text(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
