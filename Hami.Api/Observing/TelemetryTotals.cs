using Npgsql;

namespace Hami.Api.Observing;

/// <summary>
/// What the cluster's cards, and the shares of each namespace, did in each period: added up once, when nothing more can come of it, as 30 days
/// of a large cluster are too many rows to add up for every look.
/// </summary>
internal static class TelemetryTotals
{
    public const string Table = $"{TelemetryTables.Schema}.total_use";

    public const string Names = "busy, busy_max, memory, memory_max, temperature_max, power, energy, series";

    /// <summary>The columns, of rows <c>u</c> of cards with <see cref="Before"/>; equals <see cref="PeriodUse.OfCards"/>.</summary>
    public const string OfCards =
        """
        avg(u.busy_sum::float8 / nullif(u.busy_count, 0)), max(u.busy_max) filter (where u.busy_count > 0),
        sum(u.memory_sum::float8 / nullif(u.memory_count, 0)), max(u.memory_max) filter (where u.memory_count > 0),
        max(u.temperature_max) filter (where u.temperature_count > 0), sum(u.power_sum::float8 / nullif(u.power_count, 0)),
        sum((case when u.energy_last >= coalesce(p.energy_last, u.energy_first) then u.energy_last - coalesce(p.energy_last, u.energy_first) else u.energy_last end)::float8)
            filter (where u.energy_first_second >= 0),
        count(*)
        """;

    /// <summary>The row <c>p</c> of the card's period before, if that knew its energy.</summary>
    public const string Before =
        $"""
        left join {TelemetryTables.Cards} p on p.series = u.series and p.period = u.period - interval '5 minutes' and p.energy_first_second >= 0
        """;

    /// <summary>The columns, of rows <c>u</c> of shares; equals <see cref="PeriodUse.OfShares"/>.</summary>
    public const string OfShares =
        """
        sum(case when u.busy_count > 0 then u.busy_sum::float8 / nullif(u.moments, 0) end), max(u.busy_max) filter (where u.busy_count > 0),
        sum(case when u.memory_count > 0 then u.memory_sum::float8 / nullif(u.moments, 0) end), max(u.memory_max) filter (where u.memory_count > 0),
        null::bigint, null::float8, null::float8, count(*)
        """;

    public const string Create =
        $"""
        create table if not exists {Table} (
            period timestamptz not null, namespace text not null, busy float8, busy_max bigint, memory float8, memory_max bigint, temperature_max bigint,
            power float8, energy float8, series bigint not null, primary key (namespace, period));
        create index if not exists total_use_period on {Table} (period);
        """;

    /// <summary>Adds up the next period that began before; false when there is none.</summary>
    public static async Task<bool> AddUpAsync(NpgsqlDataSource database, DateTimeOffset before, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            $"""
            with next as materialized (select min(period) at from {TelemetryTables.Cards} where period > (select coalesce(max(period), '-infinity') from {Table}) and period < $1)
            insert into {Table} (period, namespace, {Names})
            select u.period, '', {OfCards} from {TelemetryTables.Cards} u {Before} where u.period = (select at from next) group by u.period
            union all
            select u.period, s.namespace, {OfShares} from {TelemetryTables.Shares} u {TelemetryTables.WithSeries} where u.period = (select at from next) group by u.period, s.namespace
            on conflict do nothing
            """);
        command.Parameters.Add(new() { Value = before.UtcDateTime });
        return await command.ExecuteNonQueryAsync(cancellationToken) > 0;
    }

    /// <summary>Has the totals from a period on added up anew.</summary>
    public static async Task ForgetAsync(NpgsqlDataSource database, DateTimeOffset from, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand($"delete from {Table} where period >= $1");
        command.Parameters.Add(new() { Value = from.UtcDateTime });
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
