using System.Data.Common;
using System.Globalization;
using Npgsql;
using NpgsqlTypes;

namespace Hami.Api.Observing;

/// <summary>
/// Where sums are kept: a schema of its own, a table for cards and one for shares, both cut by the day, so that what is old is dropped and not
/// deleted; what a row is of stands once, in a table of series. They are no part of the log and may all be lost.
/// </summary>
internal static class TelemetryTables
{
    public const string Schema = "hami_telemetry";
    public const string Series = $"{Schema}.series";
    public const string Cards = $"{Schema}.card_use";
    public const string Shares = $"{Schema}.share_use";

    /// <summary>Joins the series <c>s</c> of rows <c>u</c>.</summary>
    public const string WithSeries = $"join {Series} s on s.id = u.series";

    // Any number will do that nobody else in this database locks: "hamt" in ASCII.
    private const long Lock = 0x68616d74;
    private const int RowsAtOnce = 2000;

    private static readonly (string Name, string Type)[] OfShares =
    [
        ("seen", "bit(300)"), ("moments", "smallint"),
        ("busy_sum", "integer"), ("busy_count", "smallint"), ("busy_max", "smallint"),
        ("memory_sum", "bigint"), ("memory_count", "smallint"), ("memory_max", "bigint"),
    ];

    private static readonly (string Name, string Type)[] OfCards =
    [
        .. OfShares, ("memory_total", "bigint"),
        ("temperature_sum", "integer"), ("temperature_count", "smallint"), ("temperature_max", "smallint"),
        ("power_sum", "bigint"), ("power_count", "smallint"), ("power_max", "integer"),
        ("energy_first", "bigint"), ("energy_first_second", "smallint"), ("energy_last", "bigint"), ("energy_last_second", "smallint"),
    ];

    /// <summary>Creates what is missing.</summary>
    /// <remarks>Cards have no pod and are left out of its index: PostgreSQL would at times look for a card among all cards by it.</remarks>
    public static Task EnsureAsync(NpgsqlDataSource database, CancellationToken cancellationToken) => LockedAsync(
        database,
        $"""
        create schema if not exists {Schema};
        create table if not exists {Series} (
            id integer generated always as identity primary key, node text not null, device_uuid text not null, pod_uid text not null, container text not null,
            namespace text not null, last_day date not null, unique (node, device_uuid, pod_uid, container));
        create index if not exists series_device on {Series} (device_uuid);
        create index if not exists series_namespace on {Series} (namespace);
        create index if not exists series_of_pod on {Series} (pod_uid) where pod_uid <> '';
        {Create(Cards, OfCards)}
        {Create(Shares, OfShares)}
        {TelemetryTotals.Create}
        """,
        cancellationToken);

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
            + (parts.Any(p => p.Day < oldest) ? $"delete from {TelemetryTotals.Table} where period < '{Text(oldest)}T00:00:00Z';\ndelete from {Series} where last_day < '{Text(oldest)}';\n" : "");
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
                await using var series = database.CreateCommand(
                    $"""
                    insert into {Series} as o (node, device_uuid, pod_uid, container, namespace, last_day)
                    select node, device_uuid, pod_uid, container, max(namespace), max(day) from unnest($1, $2, $3, $4, $5, $6) n(node, device_uuid, pod_uid, container, namespace, day)
                    group by 1, 2, 3, 4 order by 1, 2, 3, 4
                    on conflict (node, device_uuid, pod_uid, container) do update set last_day = excluded.last_day where o.last_day < excluded.last_day
                    """);
                FillSeries(series, some);
                series.Parameters.Add(Values(some, NpgsqlDbType.Text, r => r.Namespace));
                series.Parameters.Add(Values(some, NpgsqlDbType.Date, r => DateOnly.FromDateTime(r.Key.Period.UtcDateTime)));
                await series.ExecuteNonQueryAsync(cancellationToken);

                await using var sums = database.CreateCommand(Upsert(table, isCard ? OfCards : OfShares));
                FillSeries(sums, some);
                FillSums(sums, some, isCard);
                await sums.ExecuteNonQueryAsync(cancellationToken);
            }
        }
    }

    /// <summary>The columns of rows <c>u</c> with their series <c>s</c>, for <see cref="Row"/>.</summary>
    public static string Selected(bool ofCards) =>
        "u.period, s.node, s.device_uuid, s.pod_uid, s.container, s.namespace, "
        + string.Join(", ", (ofCards ? OfCards : OfShares).Select(c => c.Name == "seen" ? "u.seen::text" : $"u.{c.Name}"));

    public static UseRow Row(DbDataReader row)
    {
        var key = new UseRowKey(row.GetFieldValue<DateTimeOffset>(0), row.GetString(1), new(row.GetString(2), row.GetString(3), row.GetString(4)));
        var sums = UseSums.None with { Seen = SeenSeconds.Parse(row.GetString(6)), Moments = row.GetInt32(7), Busy = SumAt(row, 8), Memory = SumAt(row, 11) };
        return new(key, row.GetString(5), !key.Series.IsCard ? sums : sums with
        {
            MemoryTotal = row.GetInt64(14), Temperature = SumAt(row, 15), Power = SumAt(row, 18), Energy = new(row.GetInt64(21), row.GetInt32(22), row.GetInt64(23), row.GetInt32(24)),
        });
    }

    private static Sum SumAt(DbDataReader row, int column) => new(row.GetInt64(column), row.GetInt32(column + 1), row.GetInt64(column + 2));

    // By series first: looks are for some series over a long time. The other index finds a period's rows, for the totals.
    private static string Create(string table, (string Name, string Type)[] columns) =>
        $"""
        create table if not exists {table} (
            period timestamptz not null, series integer not null, {string.Join(", ", columns.Select(c => $"{c.Name} {c.Type} not null"))}, primary key (series, period))
            partition by range (period);
        create index if not exists {table[(Schema.Length + 1)..]}_period on {table} (period);
        """;

    private static string Upsert(string table, (string Name, string Type)[] columns)
    {
        var names = string.Join(", ", columns.Select(c => c.Name));
        var values = string.Join(", ", columns.Select(c => c.Name == "seen" ? "n.seen::bit(300)" : $"n.{c.Name}"));
        return $"""
            insert into {table} as o (period, series, {names})
            select n.period, s.id, {values}
            from unnest({string.Join(", ", Enumerable.Range(1, columns.Length + 5).Select(i => $"${i}"))}) n(node, device_uuid, pod_uid, container, period, {names})
            join {Series} s using (node, device_uuid, pod_uid, container)
            on conflict (series, period) do update set {string.Join(", ", columns.Select(c => $"{c.Name} = {Merged(c.Name)}"))}
            where bit_count(excluded.seen & ~o.seen) > 0
            """;
    }

    // Equals UseSums.Merge, which says why.
    private static string Merged(string column)
    {
        const string First = "excluded.energy_first_second >= 0 and (o.energy_first_second < 0 or excluded.energy_first_second < o.energy_first_second)";
        const string Last = "excluded.energy_last_second > o.energy_last_second";
        var (old, @new) = ($"o.{column}", $"excluded.{column}");
        return column switch
        {
            "seen" => $"{old} | {@new}",
            "memory_total" => $"greatest({old}, {@new})",
            "energy_first" or "energy_first_second" => $"case when {First} then {@new} else {old} end",
            "energy_last" or "energy_last_second" => $"case when {Last} then {@new} else {old} end",
            _ when column.EndsWith("_max", StringComparison.Ordinal) && column[..^"max".Length] + "count" is var count =>
                $"case when o.{count} = 0 then {@new} when excluded.{count} = 0 then {old} else greatest({old}, {@new}) end",
            _ => $"{old} + {@new}",
        };
    }

    private static void FillSeries(NpgsqlCommand command, UseRow[] rows)
    {
        command.Parameters.Add(Values(rows, NpgsqlDbType.Text, r => r.Key.Node));
        command.Parameters.Add(Values(rows, NpgsqlDbType.Text, r => r.Key.Series.DeviceUuid));
        command.Parameters.Add(Values(rows, NpgsqlDbType.Text, r => r.Key.Series.PodUid));
        command.Parameters.Add(Values(rows, NpgsqlDbType.Text, r => r.Key.Series.Container));
    }

    private static void FillSums(NpgsqlCommand command, UseRow[] rows, bool ofCards)
    {
        Add(NpgsqlDbType.TimestampTz, r => r.Key.Period.UtcDateTime);
        Add(NpgsqlDbType.Text, r => r.Sums.Seen.ToString());
        Add(NpgsqlDbType.Integer, r => r.Sums.Moments);
        AddSum(s => s.Busy);
        AddSum(s => s.Memory);
        if (!ofCards)
            return;
        Add(NpgsqlDbType.Bigint, r => r.Sums.MemoryTotal);
        AddSum(s => s.Temperature);
        AddSum(s => s.Power);
        Add(NpgsqlDbType.Bigint, r => r.Sums.Energy.First);
        Add(NpgsqlDbType.Integer, r => r.Sums.Energy.FirstSecond);
        Add(NpgsqlDbType.Bigint, r => r.Sums.Energy.Last);
        Add(NpgsqlDbType.Integer, r => r.Sums.Energy.LastSecond);

        void Add<T>(NpgsqlDbType type, Func<UseRow, T> value) => command.Parameters.Add(Values(rows, type, value));

        void AddSum(Func<UseSums, Sum> sum)
        {
            Add(NpgsqlDbType.Bigint, r => sum(r.Sums).Total);
            Add(NpgsqlDbType.Integer, r => sum(r.Sums).Count);
            Add(NpgsqlDbType.Bigint, r => sum(r.Sums).Max);
        }
    }

    private static NpgsqlParameter Values<T>(UseRow[] rows, NpgsqlDbType type, Func<UseRow, T> value) =>
        new() { Value = rows.Select(value).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | type };

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
