using System.Data.Common;
using System.Globalization;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Reading;
using Hami.Domain.Ledger;
using Hami.Domain.Reading;

namespace Hami.Api.Observing;

/// <summary>Allocations as questions read them.</summary>
internal static class AllocationRows
{
    private const string HeldUntil = "held@";
    private const string Phase = "case when a.released_at is not null then null when a.attached_at is not null then 2 when a.bound_at is not null then 1 else 0 end";

    /// <summary>The table, as <c>a</c>.</summary>
    public const string Table = $"{ReadTables.Allocations} a";

    /// <summary>The table as it was at a moment, as <c>a</c>: what was placed by then, without the steps after it.</summary>
    public static string TableAt(Conditions conditions, DateTimeOffset at)
    {
        var then = conditions.Parameter(at);
        var columns = ReadTables.Allocation.Columns.Select(c => c.Name switch
        {
            "bound_at" or "attached_at" or "shrunk_at" or "released_at" => $"case when {c.Name} <= {then} then {c.Name} end as {c.Name}",
            "release_reason" => $"case when released_at <= {then} then release_reason end as release_reason",
            var name => name,
        });
        return $"(select {string.Join(", ", columns)} from {ReadTables.Allocations} where placed_position < {PositionAfter(">", then)}) a";
    }

    public const string Columns = "row_to_json(a)::text";

    private static readonly Dictionary<AllocationSort, Order<AllocationRecord>> Orders = new()
    {
        // The position is the order of time, and has the indexes.
        [AllocationSort.PlacedAt] = Order<AllocationRecord>.Number("placedAt", a => a.PlacedPosition, Id, "a.placed_position"),
        [AllocationSort.Pod] = Order<AllocationRecord>.Text("pod", a => $"{a.Namespace}/{a.Pod}", Id, "(a.namespace || '/' || a.pod)"),
        [AllocationSort.Node] = Order<AllocationRecord>.Text("node", a => a.Node, Id, "a.node"),
        [AllocationSort.Memory] = Order<AllocationRecord>.Number("memory", a => a.MemoryMiB, Id, "a.memory_mib"),
        [AllocationSort.Cores] = Order<AllocationRecord>.Number("cores", a => a.Cores, Id, "a.cores"),
        [AllocationSort.Owner] = Order<AllocationRecord>.Text("owner", a => a.OwnerName is null ? "" : $"{a.OwnerName} {a.OwnerKind}", Id, "coalesce(a.owner_name || ' ' || a.owner_kind, '')"),
        [AllocationSort.Devices] = Order<AllocationRecord>.Number("devices", a => a.Devices, Id, "(select count(distinct s ->> 'device_uuid') from jsonb_array_elements(a.shares) s)"),
        [AllocationSort.Containers] = Order<AllocationRecord>.Number("containers", a => a.Containers, Id, "a.containers"),
        [AllocationSort.Phase] = Order<AllocationRecord>.Known("phase", a => (long?)a.Phase, Id, Phase),
        [AllocationSort.AttachedAt] = Order<AllocationRecord>.Known("attachedAt", a => Microseconds(a.AttachedAt), Id, Micro("attached_at")),
        [AllocationSort.ReleasedAt] = Order<AllocationRecord>.Known("releasedAt", a => Microseconds(a.ReleasedAt), Id, Micro("released_at")),
        [AllocationSort.Waited] = Order<AllocationRecord>.Number(
            "waited", a => Microseconds(a.PlacedAt) - Microseconds(a.WaitingSince ?? a.PlacedAt), Id, $"({Micro("placed_at")} - coalesce({Micro("waiting_since")}, {Micro("placed_at")}))"),
    };

    /// <summary>The order of a list.</summary>
    /// <param name="after">Cursor of the row before its page: what is held grows older from page to page, so that all go by the moment of the first.</param>
    /// <param name="now">That moment, where this is the first.</param>
    public static Order<AllocationRecord> OrderOf(AllocationSort sort, string? after, DateTimeOffset now)
    {
        if (sort is not AllocationSort.Held)
            return Orders[sort];
        var of = after is null ? "" : Cursor.OrderOf(after).TrimEnd('-');
        var known = of.StartsWith(HeldUntil, StringComparison.Ordinal) && long.TryParse(of.AsSpan(HeldUntil.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var named) ? named : (long?)null;
        var until = known ?? Microseconds(now);
        var text = until.ToString(CultureInfo.InvariantCulture);
        return Order<AllocationRecord>.Number(
            HeldUntil + text, a => Math.Min(a.ReleasedAt is { } released ? Microseconds(released) : until, until) - Microseconds(a.PlacedAt), Id,
            $"(least({Micro("released_at")}, {text}) - {Micro("placed_at")})");
    }

    /// <summary>Position of the first allocation at or after a time; that is the order by which pages are read, so that those after it are not looked at.</summary>
    public static string PositionAfter(string than, string time) =>
        $"coalesce((select placed_position from {ReadTables.Allocations} where placed_at {than} {time} order by placed_at, placed_position limit 1), {long.MaxValue})";

    public static AllocationRecord Of(DbDataReader row, PlacementReasons reasons, CardModels models, bool isPast) => new(RowOf(row), reasons, models) { IsPast = isPast };

    public static AllocationRow RowOf(DbDataReader row) => ReadJson.Row<AllocationRow>(row.GetString(0));

    private static string Micro(string column) => $"(extract(epoch from a.{column}) * 1000000)::bigint";

    private static long? Microseconds(DateTimeOffset? at) => at is { } time ? Microseconds(time) : null;

    private static long Microseconds(DateTimeOffset at) => (at - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    private static string Id(AllocationRecord allocation) => allocation.Id.ToString("D", CultureInfo.InvariantCulture);
}

/// <summary>Which allocations; what is left out is not asked for.</summary>
public sealed class AllocationFilter
{
    /// <summary>True for those held now, or at the moment asked for, false for those given back.</summary>
    public bool? Live { get; init; }

    /// <summary>Only the allocation of this id.</summary>
    public Guid? Id { get; init; }

    /// <summary>Only pods of this namespace.</summary>
    public string? Namespace { get; init; }

    /// <summary>Only pods of this name.</summary>
    public string? Pod { get; init; }

    /// <summary>Only pods in whose name this occurs.</summary>
    public string? PodContains { get; init; }

    /// <summary>Only the pod of this UID.</summary>
    public string? PodUid { get; init; }

    /// <summary>Only pods of an owner of this kind, such as <c>Job</c>.</summary>
    public string? OwnerKind { get; init; }

    /// <summary>Only pods of the owner of this name.</summary>
    public string? OwnerName { get; init; }

    /// <summary>Only allocations on this node.</summary>
    public string? Node { get; init; }

    /// <summary>Only allocations with a share of this card.</summary>
    public string? DeviceUuid { get; init; }

    /// <summary>Only those that ended for this reason.</summary>
    public ReleaseReason? ReleaseReason { get; init; }

    /// <summary>Only those that were held at this time or later.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Only those that were placed before this time.</summary>
    public DateTimeOffset? To { get; init; }

    /// <summary>Only those in whose pod's <c>namespace/name</c>, node or owner's name this occurs.</summary>
    public string? Search { get; init; }

    internal Conditions Conditions(Scope scope)
    {
        var conditions = new Conditions()
            .And("a.id = ?", Id)
            .And("a.namespace = ?", Namespace)
            .And("a.pod = ?", Pod)
            .And("strpos(lower(a.pod), lower(?)) > 0", PodContains)
            .And("a.pod_uid = ?", PodUid)
            .And("a.owner_kind = ?", OwnerKind)
            .And("a.owner_name = ?", OwnerName)
            .And("a.node = ?", Node)
            .And($"exists (select from {ReadTables.Holdings} h where h.allocation_id = a.id and h.device_uuid = ?)", DeviceUuid)
            .And("a.release_reason = ?", ReleaseReason?.ToString())
            .And("(a.released_at is null or a.released_at >= ?)", From)
            .And($"a.placed_position < {AllocationRows.PositionAfter(">=", "?")}", To)
            .And(
                "(strpos(lower(a.namespace || '/' || a.pod), lower(?)) > 0 or strpos(lower(a.node), lower(?)) > 0 or strpos(lower(a.owner_name), lower(?)) > 0)", Search)
            .And("a.namespace = any(?)", scope.AllNamespaces ? null : scope.Namespaces.ToArray());
        return Live is { } live ? conditions.And(live ? "a.released_at is null" : "a.released_at is not null") : conditions;
    }
}

/// <summary>What allocations are sorted by; what is not known, or not yet, comes last.</summary>
public enum AllocationSort
{
    /// <summary>When they were placed.</summary>
    PlacedAt,

    /// <summary>Namespace and name of the pod.</summary>
    Pod,

    /// <summary>Name of the node.</summary>
    Node,

    /// <summary>Device memory.</summary>
    Memory,

    /// <summary>Name and kind of what the pod belongs to; pods of their own are before all others.</summary>
    Owner,

    /// <summary>Compute.</summary>
    Cores,

    /// <summary>Number of cards.</summary>
    Devices,

    /// <summary>When they were given back.</summary>
    ReleasedAt,

    /// <summary>When the devices were handed out.</summary>
    AttachedAt,

    /// <summary>How far they have come.</summary>
    Phase,

    /// <summary>Number of the pod's containers.</summary>
    Containers,

    /// <summary>For how long the pod had waited; one that never did comes first.</summary>
    Waited,

    /// <summary>For how long they were held, or are until now.</summary>
    Held,
}
