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
    /// <summary>The table, as <c>a</c>.</summary>
    public const string Table = $"{ReadTables.Allocations} a";

    public const string Columns = "row_to_json(a)::text";

    public static readonly Dictionary<AllocationSort, Order<AllocationRecord>> Orders = new()
    {
        // The position is the order of time, and has the indexes.
        [AllocationSort.PlacedAt] = Order<AllocationRecord>.Number("placedAt", a => a.PlacedPosition, Id, "a.placed_position"),
        [AllocationSort.Pod] = Order<AllocationRecord>.Text("pod", a => $"{a.Namespace}/{a.Pod}", Id, "(a.namespace || '/' || a.pod)"),
        [AllocationSort.Node] = Order<AllocationRecord>.Text("node", a => a.Node, Id, "a.node"),
        [AllocationSort.Memory] = Order<AllocationRecord>.Number("memory", a => a.MemoryMiB, Id, "a.memory_mib"),
    };

    public static AllocationRecord Of(DbDataReader row, PlacementReasons reasons) => new(RowOf(row), reasons);

    public static AllocationRow RowOf(DbDataReader row) => ReadJson.Row<AllocationRow>(row.GetString(0));

    private static string Id(AllocationRecord allocation) => allocation.Id.ToString("D", CultureInfo.InvariantCulture);
}

/// <summary>Which allocations; what is left out is not asked for.</summary>
public sealed class AllocationFilter
{
    /// <summary>True for those held now, false for those given back.</summary>
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
            // The order of time is that of positions, by which pages are read: those after the time are not looked at.
            .And($"a.placed_position < coalesce((select placed_position from {ReadTables.Allocations} where placed_at >= ? order by placed_at, placed_position limit 1), {long.MaxValue})", To)
            .And("a.namespace = any(?)", scope.AllNamespaces ? null : scope.Namespaces.ToArray());
        return Live is { } live ? conditions.And(live ? "a.released_at is null" : "a.released_at is not null") : conditions;
    }
}

/// <summary>What allocations are sorted by.</summary>
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
}
