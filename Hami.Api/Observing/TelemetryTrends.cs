using System.Data.Common;
using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Reading;

namespace Hami.Api.Observing;

/// <summary>Reads use over time: from the sums in PostgreSQL and those that are not written yet, or, in short steps, from memory.</summary>
public sealed class TelemetryTrends
{
    private readonly LiveTelemetry _live;
    private readonly TelemetryRollups _rollups;
    private readonly Rows _rows;
    private readonly TimeProvider _time;
    private readonly PrometheusTrends? _prometheus;
    private volatile bool _isThere;

    /// <summary>Trends of what nodes tell.</summary>
    /// <param name="prometheus">Who is asked for what is not kept any more; null for nobody.</param>
    internal TelemetryTrends(LiveTelemetry live, TelemetryRollups rollups, Rows rows, TimeProvider time, PrometheusTrends? prometheus = null) =>
        (_live, _rollups, _rows, _time, _prometheus) = (live, rollups, rows, time, prometheus);

    /// <summary>Use over time, of whom the asker may see.</summary>
    /// <param name="tell">Takes the error where nothing is known because Prometheus does not answer: what else was asked for is answered all the same.</param>
    internal async Task<UsageTrend> ReadAsync(
        UsageOf of, Scope scope, DateTimeOffset? begin, DateTimeOffset? end, int? wantedStep, Action<ExecutionError> tell, CancellationToken cancellationToken)
    {
        if ((of.OwnerKind is null) != (of.OwnerName is null) || (of.OwnerKind is not null && of.Namespace is null))
            throw new ExecutionError("An owner is named by ownerKind, ownerName and namespace together.") { Code = "BAD_FILTER" };
        var now = _time.GetUtcNow();
        var to = end ?? now;
        var asked = begin ?? to.AddHours(-1);
        var (from, step) = Aligned(asked, to, wantedStep, now);
        // Days are kept whole, see TelemetryRollups.
        if (_prometheus is not null && asked < new DateTimeOffset((now - TelemetryLimits.Kept).UtcDateTime.Date, TimeSpan.Zero))
            return new(from, to, (int)step.TotalSeconds, await LongAgoAsync(_prometheus, of, scope, from, to, step, tell, cancellationToken), TrendSource.Prometheus);
        var pods = of.OwnerKind is null ? null : await OwnedAsync(of, cancellationToken);
        var periods = step < TelemetryLimits.Period ? Recent(of, scope, pods, from, to, step) : await PeriodsAsync(of, scope, pods, from, to, cancellationToken);
        return new(from, to, (int)step.TotalSeconds, PeriodUse.Points(periods, from, to, step));
    }

    internal static (DateTimeOffset From, TimeSpan Step) Aligned(DateTimeOffset from, DateTimeOffset to, int? wantedStep, DateTimeOffset now)
    {
        TrendSteps.MustBeInOrder(from, to);
        var isRecent = from >= now - TelemetryLimits.Ring;
        var seconds = wantedStep ?? TrendSteps.Usual(to - from, isRecent, TelemetryLimits.Seconds);
        TrendSteps.MustBeMultiple(seconds, seconds < TelemetryLimits.Seconds ? (int)TelemetryLimits.Cell.TotalSeconds : TelemetryLimits.Seconds, "a multiple of 5, and from 300 on of 300");
        if (seconds < TelemetryLimits.Seconds && !isRecent && wantedStep is not null)
            throw new ExecutionError($"Steps shorter than 300 s are kept for {TelemetryLimits.Ring.TotalMinutes} minutes: ask for a later time or for longer steps.") { Code = "BAD_FILTER" };
        return TrendSteps.Aligned(from, to, seconds);
    }

    private static async Task<IReadOnlyList<UsagePoint>> LongAgoAsync(
        PrometheusTrends prometheus, UsageOf of, Scope scope, DateTimeOffset from, DateTimeOffset to, TimeSpan step, Action<ExecutionError> tell, CancellationToken cancellationToken)
    {
        try
        {
            return await prometheus.ReadAsync(of, scope, from, to, step, cancellationToken);
        }
        catch (PrometheusException e)
        {
            tell(new(e.Message, e) { Code = "PROMETHEUS" });
            return PeriodUse.Points([], from, to, step);
        }
    }

    /// <summary>What is in memory, each step as a period.</summary>
    private IEnumerable<PeriodUse> Recent(UsageOf of, Scope scope, string[]? pods, DateTimeOffset from, DateTimeOffset to, TimeSpan step)
    {
        var rows = new List<UseRow>();
        foreach (var node in _live.Nodes.Where(n => Match.Is(of.Node, n.Name)))
        {
            foreach (var bucket in node.Between(from, to).GroupBy(v => (v.At - from).Ticks / step.Ticks))
            {
                // All series of the node: a share that ended within the step counts for its part of it.
                var cells = bucket.Select(v => v.At).Distinct().Count();
                rows.AddRange(bucket.Where(v => Takes(of, scope, v.Key, v.Namespace, pods)).GroupBy(v => (v.Key, v.Namespace)).Select(series => new UseRow(
                    new(from + bucket.Key * step, node.Name, series.Key.Key), series.Key.Namespace,
                    series.Aggregate(UseSums.None, (sums, v) => sums.With(v.Value, 0)) with { Moments = cells })));
            }
        }
        return rows.GroupBy(r => r.Key.Period).Select(g => of.IsOfShares ? PeriodUse.OfShares(g.Key, [.. g]) : PeriodUse.OfCards(g.Key, [.. g], _ => null));
    }

    private async Task<IEnumerable<PeriodUse>> PeriodsAsync(
        UsageOf of, Scope scope, string[]? pods, DateTimeOffset from, DateTimeOffset to, CancellationToken cancellationToken)
    {
        // First what is not written, then what is: a row that moves meanwhile is found twice, which its seconds tell, and not missed.
        var unwritten = _rollups.Unwritten.Where(r => r.Key.Period < to && Match.Is(of.Node, r.Key.Node) && Takes(of, scope, r.Key.Series, r.Namespace, pods)).ToList();
        var first = unwritten.Count > 0 ? unwritten.Min(r => r.Key.Period) : DateTimeOffset.MaxValue;
        if (!await IsThereAsync(cancellationToken))
            return Periods(of, unwritten).Where(p => p.At >= from);
        var written = await SummedAsync(of, scope, pods, from, Earlier(to, first), cancellationToken);
        if (unwritten.Count == 0)
            return written;
        var rows = await RowsAsync(of, scope, pods, first - TelemetryLimits.Period, to, cancellationToken);
        var merged = rows.Concat(unwritten).GroupBy(r => r.Key).Select(g => g.Aggregate((a, b) => a with { Sums = a.Sums.Merge(b.Sums) }));
        return written.Concat(Periods(of, merged).Where(p => p.At >= first && p.At >= from));
    }

    private static IEnumerable<PeriodUse> Periods(UsageOf of, IEnumerable<UseRow> rows)
    {
        var periods = rows.GroupBy(r => r.Key.Period).ToDictionary(g => g.Key, g => g.ToDictionary(r => (r.Key.Node, r.Key.Series)));
        return periods.Select(p => of.IsOfShares ? PeriodUse.OfShares(p.Key, p.Value.Values) : PeriodUse.OfCards(p.Key, p.Value.Values, Before));

        long? Before(UseRow row) =>
            periods.TryGetValue(row.Key.Period - TelemetryLimits.Period, out var before) && before.TryGetValue((row.Key.Node, row.Key.Series), out var earlier) && earlier.Sums.Energy.IsKnown
                ? earlier.Sums.Energy.Last : null;
    }

    private Task<List<PeriodUse>> SummedAsync(UsageOf of, Scope scope, string[]? pods, DateTimeOffset from, DateTimeOffset to, CancellationToken cancellationToken)
    {
        var values = new Conditions();
        var totalled = of.IsOfCluster || of.IsOfNamespace;
        // What is of a whole cluster, or namespace, is added up once, when nothing more can come.
        var totals = !totalled ? "" :
            $"select period, {TelemetryTotals.Names} from {TelemetryTotals.Table} t {values.And("t.namespace = ?", of.Namespace ?? "").And("t.period >= ?", from).And("t.period < ?", to).Within()} union all ";
        // A period more before it: for the counters at its end.
        Where(values, of, scope, pods, of.IsOfShares ? from : from - TelemetryLimits.Period, to);
        var totalledTo = $"(select coalesce(max(period), '-infinity') from {TelemetryTotals.Table})";
        if (totalled)
            values.And($"u.period >= {totalledTo}");
        var where = values.Within();
        values.And("u.period >= ?", from);
        if (totalled)
            values.And($"u.period > {totalledTo}");
        var (table, columns, before) = of.IsOfShares
            ? (TelemetryTables.Shares, TelemetryTotals.OfShares, "")
            : (TelemetryTables.Cards, TelemetryTotals.OfCards, $", {TelemetryTotals.Before}");
        var sums = $"select u.period, {columns} from (select u.*{before} from {table} u {TelemetryTables.WithSeries} {where}) u {values.Within()} group by u.period";
        return _rows.ReadAsync(totals + sums, values, Period, cancellationToken);
    }

    private Task<List<UseRow>> RowsAsync(UsageOf of, Scope scope, string[]? pods, DateTimeOffset from, DateTimeOffset to, CancellationToken cancellationToken)
    {
        var conditions = Where(new(), of, scope, pods, from, to);
        return _rows.ReadAsync(
            $"select {TelemetryTables.Selected(!of.IsOfShares)} from {(of.IsOfShares ? TelemetryTables.Shares : TelemetryTables.Cards)} u {TelemetryTables.WithSeries} {conditions.Where}", conditions, TelemetryTables.Row, cancellationToken);
    }

    private static Conditions Where(Conditions conditions, UsageOf of, Scope scope, string[]? pods, DateTimeOffset from, DateTimeOffset to) => conditions
        .And("u.period >= ?", from).And("u.period < ?", to).And("s.node = ?", of.Node).And("s.device_uuid = ?", of.DeviceUuid)
        .And("s.namespace = ?", of.Namespace).And("s.pod_uid = ?", of.PodUid).And("s.container = ?", of.Container).And("s.pod_uid = any(?)", pods)
        .And("s.namespace = any(?)", of.IsOfShares && !scope.AllNamespaces ? scope.Namespaces.ToArray() : null);

    private static bool Takes(UsageOf of, Scope scope, UseKey key, string @namespace, string[]? pods) =>
        key.IsCard != of.IsOfShares && Match.Is(of.DeviceUuid, key.DeviceUuid)
        && (key.IsCard
            || (scope.Sees(@namespace) && Match.Is(of.Namespace, @namespace) && Match.Is(of.PodUid, key.PodUid) && Match.Is(of.Container, key.Container)
                && (pods is null || pods.Contains(key.PodUid, StringComparer.Ordinal))));

    private async Task<string[]> OwnedAsync(UsageOf of, CancellationToken cancellationToken)
    {
        var conditions = new Conditions().And("a.namespace = ?", of.Namespace).And("a.owner_kind = ?", of.OwnerKind).And("a.owner_name = ?", of.OwnerName);
        return [.. await _rows.ReadAsync($"select distinct a.pod_uid from {ReadTables.Allocations} a {conditions.Where}", conditions, r => r.GetString(0), cancellationToken)];
    }

    private async Task<bool> IsThereAsync(CancellationToken cancellationToken) =>
        _isThere = _isThere || (await _rows.ReadAsync($"select to_regclass('{TelemetryTotals.Table}') is not null", new(), r => r.GetBoolean(0), cancellationToken))[0];

    private static PeriodUse Period(DbDataReader row) => new(
        row.GetFieldValue<DateTimeOffset>(0), Double(row, 1), Long(row, 2), Double(row, 3), Long(row, 4), Long(row, 5), Double(row, 6), Double(row, 7), row.GetInt64(8));

    private static double? Double(DbDataReader row, int column) => row.IsDBNull(column) ? null : row.GetDouble(column);

    private static long? Long(DbDataReader row, int column) => row.IsDBNull(column) ? null : row.GetInt64(column);

    private static DateTimeOffset Earlier(DateTimeOffset a, DateTimeOffset b) => a < b ? a : b;
}
