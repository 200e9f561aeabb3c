using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Domain.Reading;

namespace Hami.Api.Reading;

/// <summary>
/// Reads the usage ledger until now: what stands in it, and what follows from the cards and holdings of this moment, all in one statement,
/// so that nothing is counted twice or not at all.
/// </summary>
public sealed class UsageQuestions
{
    private const int MostSums = 100_000;
    private const int UsualDays = 31;

    private readonly Rows _rows;
    private readonly TimeProvider _time;

    internal UsageQuestions(Rows rows, TimeProvider time) => (_rows, _time) = (rows, time);

    internal async Task<IReadOnlyList<UsageSum>> UsageAsync(IReadOnlySet<UsageBy> by, WantedUsage filter, Scope scope, CancellationToken cancellationToken)
    {
        string[] columns =
        [
            by.Contains(UsageBy.Day) ? "day" : "", by.Contains(UsageBy.Namespace) ? "namespace" : "", .. by.Contains(UsageBy.Owner) ? ["owner_kind", "owner_name"] : Array.Empty<string>(),
            by.Contains(UsageBy.Node) ? "node" : "", by.Contains(UsageBy.Device) ? "device_uuid" : "",
        ];
        string[] wanted = [.. columns.Where(c => c.Length > 0)];
        var conditions = new Conditions()
            .And("u.namespace = ?", filter.Namespace).And("u.owner_kind = ?", filter.OwnerKind).And("u.owner_name = ?", filter.OwnerName)
            .And("u.node = ?", filter.Node).And("u.device_uuid = ?", filter.DeviceUuid).And("u.day >= ?", filter.From).And("u.day < ?", filter.To)
            .And("u.namespace = any(?)", scope.AllNamespaces ? null : scope.Namespaces.ToArray());
        var sums =
            $"""
            select {Column("day", "'0001-01-01'::date")}, {Column("namespace", "''")}, {Column("owner_kind", "''")}, {Column("owner_name", "''")}, {Column("node", "''")}, {Column("device_uuid", "''")},
                sum(u.memory_mib_microseconds) memory_mib_microseconds, sum(u.core_microseconds) core_microseconds, sum(u.gpu_microseconds)::bigint gpu_microseconds
            from {ReadTables.Usage} u {conditions.Within()}{(wanted.Length == 0 ? " having count(*) > 0" : " group by " + string.Join(", ", wanted.Select(c => $"u.{c}")))}
            """;
        var (rows, open) = await ReadAsync<UsageRow>(sums, conditions, filter.Node, filter.DeviceUuid, "t.used_slots > 0", cancellationToken);
        return
        [
            .. rows.Concat(open.Usage.Where(r => filter.Takes(r) && scope.Sees(r.Namespace)))
                .GroupBy(r => UsageSum.Of(r, by) with { MemoryGiBHours = 0, CoreHours = 0, GpuHours = 0 })
                .Select(g => UsageSum.Of(
                    g.First() with
                    {
                        MemoryMiBMicroseconds = g.Sum(r => r.MemoryMiBMicroseconds), CoreMicroseconds = g.Sum(r => r.CoreMicroseconds), GpuMicroseconds = g.Sum(r => r.GpuMicroseconds),
                    },
                    by)),
        ];

        string Column(string name, string otherwise) => wanted.Contains(name, StringComparer.Ordinal) ? $"u.{name}" : $"{otherwise} as {name}";
    }

    internal async Task<IReadOnlyList<CardDay>> CardDaysAsync(CardDayFilter asked, CancellationToken cancellationToken)
    {
        var filter = asked is { From: null, To: null }
            ? new() { Node = asked.Node, DeviceUuid = asked.DeviceUuid, From = DateOnly.FromDateTime(_time.GetUtcNow().UtcDateTime).AddDays(-UsualDays) }
            : asked;
        var conditions = new Conditions().And("u.node = ?", filter.Node).And("u.device_uuid = ?", filter.DeviceUuid).And("u.day >= ?", filter.From).And("u.day < ?", filter.To);
        var (rows, open) = await ReadAsync<CardDayRow>(
            $"select u.* from {ReadTables.CardDays} u {conditions.Within()}", conditions, filter.Node, filter.DeviceUuid, "t.is_registered", cancellationToken);
        return
        [
            .. rows.Concat(open.Cards.Where(filter.Takes)).GroupBy(r => (r.Day, r.Node, r.DeviceUuid)).Select(g => CardDay.Of(new(
                g.Key.Day, g.Key.Node, g.Key.DeviceUuid, g.Sum(r => r.RegisteredMicroseconds), g.Sum(r => r.IdleMicroseconds), g.Sum(r => r.OversubscribedMicroseconds)))),
        ];
    }

    private async Task<(List<T> Rows, UsageSums Open)> ReadAsync<T>(
        string sums, Conditions conditions, string? node, string? device, string isOpen, CancellationToken cancellationToken)
    {
        // Everybody's holdings: a card's time is split among all its holders.
        var cards = conditions.And("t.node = ?", node).And("t.uuid = ?", device).And(isOpen).Within();
        var holdings = conditions.And("t.node = ?", node).And("t.device_uuid = ?", device).And("t.held_until is null").Within();
        var read = await _rows.ReadAsync(
            $"""
            (select 's', row_to_json(s)::text from ({sums}) s limit {MostSums + 1})
            union all select 'd', row_to_json(t)::text from {ReadTables.Devices} t {cards}
            union all select 'h', row_to_json(t)::text from {ReadTables.Holdings} t {holdings}
            """,
            conditions, r => (Kind: r.GetString(0)[0], Json: r.GetString(1)), cancellationToken);
        List<T> rows = [.. read.Where(r => r.Kind == 's').Select(r => ReadJson.Row<T>(r.Json))];
        if (rows.Count > MostSums)
            throw new ExecutionError($"These are more than {MostSums} sums: ask for fewer days, or by fewer columns.") { Code = "TOO_LONG" };
        var holders = read.Where(r => r.Kind == 'h').Select(r => ReadJson.Row<HoldingRow>(r.Json)).ToLookup(h => (h.Node, h.DeviceUuid));
        var (open, now) = (new UsageSums(), _time.GetUtcNow());
        foreach (var card in read.Where(r => r.Kind == 'd').Select(r => ReadJson.Row<DeviceRow>(r.Json)))
            open.Add(card, [.. holders[(card.Node, card.Uuid)].OrderBy(h => h.Position)], now);
        return (rows, open);
    }
}
