using System.Data.Common;
using System.Text.Json.Nodes;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Plumbing;

namespace Hami.Api.Observing;

/// <summary>An event as it stands in the log.</summary>
/// <param name="Position">Its position in the log; gaps mean nothing.</param>
/// <param name="At">When it happened, to the microsecond.</param>
/// <param name="Stream">What it happened to, such as <c>node/n1/0</c>, <c>pod/UID</c>, <c>quota/NAMESPACE</c> or <c>policy/cluster</c>.</param>
/// <param name="Version">Its number in the stream.</param>
/// <param name="Type">What happened, such as <c>allocation_placed</c>.</param>
/// <param name="AllocationId">The allocation it tells of; null when none.</param>
/// <param name="Body">The rest, as JSON. Without other pods' reservations where you do not see all namespaces.</param>
public sealed record LogEvent(long Position, DateTimeOffset At, string Stream, long Version, string Type, Guid? AllocationId, string Body)
{
    internal const string Table = $"{MartenSetup.Schema}.mt_events e";

    internal const string Columns = "e.seq_id, e.timestamp, e.stream_id, e.version, e.type, e.headers->>'allocationId', e.data::text";

    internal static readonly Order<LogEvent> Order = Order<LogEvent>.Number(
        "position", e => e.Position, e => e.Position.ToString(System.Globalization.CultureInfo.InvariantCulture), "e.seq_id");

    internal static LogEvent Of(DbDataReader row, Scope scope) => new(
        row.GetInt64(0), row.GetFieldValue<DateTimeOffset>(1), row.GetString(2), row.GetInt64(3), row.GetString(4),
        row.IsDBNull(5) ? null : Guid.Parse(row.GetString(5)), scope.AllNamespaces ? row.GetString(6) : WithoutOthers(row.GetString(6)));

    // The reason of a placement names the pods whose reservations it honoured, of whatever namespace.
    private static string WithoutOthers(string body)
    {
        if (JsonNode.Parse(body) is not JsonObject { } happened)
            return body;
        if (happened["because"] is JsonObject because)
            because["reservations"] = new JsonArray();
        // Victims of other namespaces too.
        if (happened["nodes"] is JsonArray nodes)
        {
            foreach (var node in nodes.OfType<JsonObject>().Where(n => n.ContainsKey("podUids")))
                node["podUids"] = new JsonArray();
        }
        return happened.ToJsonString();
    }
}

/// <summary>Which events; what is left out is not asked for.</summary>
public sealed class EventFilter
{
    /// <summary>Only events of one of these types, such as <c>allocation_placed</c>.</summary>
    public IReadOnlyList<string>? Types { get; init; }

    /// <summary>Only events of this stream, such as <c>pod/UID</c>.</summary>
    public string? Stream { get; init; }

    /// <summary>Only events of streams that begin so, such as <c>node/</c>.</summary>
    public string? StreamStartsWith { get; init; }

    /// <summary>Only events that tell of this allocation.</summary>
    public Guid? AllocationId { get; init; }

    /// <summary>Only events that tell of this pod: what it asked, got, waited for and gave back.</summary>
    public string? PodUid { get; init; }

    /// <summary>Only events that tell of pods or the quota of this namespace.</summary>
    public string? Namespace { get; init; }

    /// <summary>Only events of this time and later.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Only events before this time.</summary>
    public DateTimeOffset? To { get; init; }

    /// <summary>Only events behind this position in the log.</summary>
    public long? AfterPosition { get; init; }

    // What an allocation's later events tell of stands in its row, what a pod's withdrawal tells of in the refusal before it.
    private const string OfNamespaces =
        $"""
        (e.data->>'namespace' = any(?)
         or exists (select from {AllocationRows.Table} where a.id = (e.headers->>'allocationId')::uuid and a.namespace = any(?))
         or exists (select from {MartenSetup.Schema}.mt_events w where w.stream_id = e.stream_id and w.type = 'placement_refused' and w.data->>'namespace' = any(?)))
        """;

    private const string OfPod =
        $"(e.data->>'podUid' = ? or e.headers->>'allocationId' in (select a.id::text from {AllocationRows.Table} where a.pod_uid = ?))";

    // Everything else tells of nodes, or of the cluster.
    private const string OfPodsOrQuotas = "(jsonb_exists(e.data, 'namespace') or e.headers->>'allocationId' is not null or starts_with(e.stream_id, 'pod/'))";

    internal Conditions Conditions(Scope scope)
    {
        var conditions = new Conditions()
            .And("e.type = any(?)", Types?.ToArray())
            .And("e.stream_id = ?", Stream)
            .And("starts_with(e.stream_id, ?)", StreamStartsWith)
            .And("e.headers->>'allocationId' = ?", AllocationId?.ToString())
            .And("e.timestamp >= ?", From)
            .And("e.timestamp < ?", To)
            .And("e.seq_id > ?", AfterPosition)
            .And(OfPod, PodUid)
            .And(OfNamespaces, Namespace is null ? null : new[] { Namespace })
            .And(OfNamespaces, scope.AllNamespaces ? null : scope.Namespaces.ToArray());
        return scope.AllNamespaces && !scope.Nodes ? conditions.And(OfPodsOrQuotas) : conditions;
    }
}
