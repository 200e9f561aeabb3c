using System.Data.Common;
using GraphQL;
using Hami.Api.Asking;
using Hami.Api.Observing;
using Hami.Api.Plumbing;
using Hami.Domain.Reading;

namespace Hami.Api.Reading;

/// <summary>Reads what was allocated over time from the read models, which know of every holding, and of every size that a card had, from when to when it was.</summary>
public sealed class AllocationTrends
{
    private readonly Rows _rows;
    private readonly TimeProvider _time;

    internal AllocationTrends(Rows rows, TimeProvider time) => (_rows, _time) = (rows, time);

    internal async Task<AllocationTrend> ReadAsync(HeldOf of, DateTimeOffset? begin, DateTimeOffset? end, int? wantedStep, CancellationToken cancellationToken)
    {
        var now = _time.GetUtcNow();
        var to = end is { } e && e < now ? e : now;
        var horizon = await HorizonAsync(cancellationToken);
        var asked = begin ?? to.AddHours(-1);
        if (asked < horizon?.At)
            throw Archived(horizon, asked);
        var (from, step) = Aligned(asked, to, wantedStep, now, horizon?.At);
        var steps = new AllocatedSteps(from, step, (int)((to - from + step - TimeSpan.FromTicks(1)) / step));

        var gaps = await AddCardsAsync(steps, of, from, cancellationToken);
        foreach (var (at, what) in await ChangesAsync(of, from, step, steps.Last, cancellationToken))
            steps.Add(what, at, null);
        // Of a card that its node had no more it counts no longer what is held.
        foreach (var (held, since, until) in gaps.Count == 0 ? [] : await HeldInAsync(of, gaps, cancellationToken))
            steps.Add(-held, since, until);

        // Looked at last: what is archived meanwhile may have been missing.
        if (await HorizonAsync(cancellationToken) is { } archived && from < archived.At)
            throw Archived(archived, from);
        return new(from, to, (int)step.TotalSeconds, [.. steps.Points().Select(p => Point(p.At, p.What))]);
    }

    private static (DateTimeOffset From, TimeSpan Step) Aligned(DateTimeOffset from, DateTimeOffset to, int? wantedStep, DateTimeOffset now, DateTimeOffset? horizon)
    {
        TrendSteps.MustBeInOrder(from, to);
        var seconds = wantedStep ?? TrendSteps.Usual(to - from, from >= now - TelemetryLimits.Ring, TelemetryLimits.Seconds);
        var unit = (int)TelemetryLimits.Cell.TotalSeconds;
        TrendSteps.MustBeMultiple(seconds, unit, $"a multiple of {unit}");
        var (aligned, step) = TrendSteps.Aligned(from, to, seconds);
        // The step in which the log begins began before it.
        return (aligned < horizon && from >= horizon && aligned + step < to ? aligned + step : aligned, step);
    }

    private async Task<List<CardGap>> AddCardsAsync(AllocatedSteps steps, HeldOf of, DateTimeOffset from, CancellationToken cancellationToken)
    {
        var conditions = new Conditions();
        var isShown = $"s.sized_from <= {conditions.Parameter(steps.Last)} and (s.sized_until > {conditions.Parameter(from)} or s.sized_until is null)";
        // Cards that had gone, and were held by nobody, before it: there may be many where nodes come and go.
        conditions.And("d.node = ?", of.Node).And("d.uuid = ?", of.DeviceUuid).And("(d.is_registered or d.used_slots > 0 or d.accounted_to > ?)", from);
        var cards = await _rows.ReadAsync(
            $"""
            select d.node, d.uuid, s.position, s.memory_mib, s.cores, s.slots, s.sized_from, s.sized_until
            from {ReadTables.Devices} d left join {ReadTables.Sizes} s on s.node = d.node and s.uuid = d.uuid and {isShown} {conditions.Where}
            """,
            conditions, r => (Node: r.GetString(0), Uuid: r.GetString(1), Size: SizeOf(r)), cancellationToken);
        return
        [
            .. cards.GroupBy(c => (c.Node, c.Uuid))
                .SelectMany(card => steps.AddCard(card.Key.Node, card.Key.Uuid, card.Select(c => c.Size).OfType<CardSizeRow>().OrderBy(s => s.Position))),
        ];
    }

    /// <summary>How much more, or less, was held from one of the moments on, whether or not the card was there.</summary>
    private Task<List<(DateTimeOffset At, Allocated What)>> ChangesAsync(
        HeldOf of, DateTimeOffset from, TimeSpan step, DateTimeOffset last, CancellationToken cancellationToken)
    {
        var values = new Conditions();
        var (firstOf, lastOf) = (values.Parameter(from), values.Parameter(last));
        // What happens at a moment counts at it, so bins end with moments: they begin a microsecond, the least there is, after one.
        var bin = $"date_bin({values.Parameter(step)}, {{0}}, {values.Parameter(from - step + TimeSpan.FromMicroseconds(1))})";
        var where = Holders(values, of).And($"h.held_from <= {lastOf}").And($"(h.held_until > {firstOf} or h.held_until is null)").Within();
        return _rows.ReadAsync(
            $"""
            select at, sum(memory)::bigint, sum(cores)::bigint, sum(slots)::bigint, sum(pods)::bigint from (
                select {Bin($"greatest(h.held_from, {firstOf})")} at, sum(h.memory_mib) memory, sum(h.cores) cores, sum(h.slots) slots, sum({PodsOf(of)}) pods
                from {ReadTables.Holdings} h {where} group by 1
                union all
                select {Bin("h.held_until")}, -sum(h.memory_mib), -sum(h.cores), -sum(h.slots), -sum({PodsOf(of)})
                from {ReadTables.Holdings} h {where} and h.held_until <= {lastOf} group by 1) c
            group by at
            """,
            values, r => (r.GetFieldValue<DateTimeOffset>(0) + step - TimeSpan.FromMicroseconds(1), Held(r, 1) with { Pods = r.GetInt64(4) }), cancellationToken);

        string Bin(string column) => bin.Replace("{0}", column, StringComparison.Ordinal);
    }

    /// <summary>What was held of cards while they were not there; the pods are counted all the same.</summary>
    private Task<List<(Allocated What, DateTimeOffset Since, DateTimeOffset Until)>> HeldInAsync(HeldOf of, List<CardGap> gaps, CancellationToken cancellationToken)
    {
        var values = new Conditions();
        var (nodes, uuids) = (values.Parameter(gaps.Select(g => g.Node).ToArray()), values.Parameter(gaps.Select(g => g.Uuid).ToArray()));
        var (begins, ends) = (values.Parameter(gaps.Select(g => g.From.UtcDateTime).ToArray()), values.Parameter(gaps.Select(g => g.Until.UtcDateTime).ToArray()));
        Holders(values, of);
        return _rows.ReadAsync(
            $"""
            select h.memory_mib, h.cores, h.slots, greatest(h.held_from, g.since), least(h.held_until, g.until)
            from unnest({nodes}, {uuids}, {begins}, {ends}) g (node, uuid, since, until)
            join {ReadTables.Holdings} h on h.device_uuid = g.uuid and h.node = g.node and h.held_from < g.until and (h.held_until > g.since or h.held_until is null)
            {values.Where}
            """,
            values, r => (Held(r, 0), r.GetFieldValue<DateTimeOffset>(3), r.GetFieldValue<DateTimeOffset>(4)), cancellationToken);
    }

    private static Conditions Holders(Conditions conditions, HeldOf of) => conditions
        .And($"h.node = ? and h.device_uuid = any(array(select d.uuid from {ReadTables.Devices} d where d.node = ?))", of.Node)
        .And("h.device_uuid = ?", of.DeviceUuid).And("h.namespace = ?", of.Namespace);

    // Of one card each of them is a pod's.
    private static string PodsOf(HeldOf of) => of.DeviceUuid is null ? "h.pods" : "1";

    private static Allocated Held(DbDataReader row, int from) =>
        new(UsedMemoryMiB: row.GetInt64(from), UsedCores: row.GetInt64(from + 1), UsedSlots: row.GetInt64(from + 2));

    private static CardSizeRow? SizeOf(DbDataReader row) => row.IsDBNull(2) ? null : new(
        row.GetString(0), row.GetString(1), row.GetInt64(2), row.GetInt64(3), row.GetInt32(4), row.GetInt32(5), row.GetFieldValue<DateTimeOffset>(6),
        row.IsDBNull(7) ? null : row.GetFieldValue<DateTimeOffset>(7));

    private static AllocationPoint Point(DateTimeOffset at, Allocated what) => new(
        at, (int)what.Devices, what.MemoryMiB, what.Cores, (int)what.Slots, what.UsedMemoryMiB, what.UsedCores, (int)what.UsedSlots, (int)what.Pods);

    private async Task<Horizon?> HorizonAsync(CancellationToken cancellationToken) =>
        await Rows.AnsweredAsync(() => Horizon.ReadAsync(_rows.Database, cancellationToken), cancellationToken);

    private static ExecutionError Archived(Horizon horizon, DateTimeOffset from) =>
        new(horizon.Before($"{from.UtcDateTime:yyyy-MM-dd HH:mm:ss'Z'}").Message) { Code = "ARCHIVED" };
}
