using Hami.Api.Plumbing;
using Hami.Domain.Reading;

namespace Hami.Api.Reading;

/// <summary>A table of the read models: its columns and what is looked up in it.</summary>
/// <param name="Name">Name of the table, and of the view that shows the one in force.</param>
/// <param name="Row">The record a row is read into.</param>
/// <param name="Columns">Names and types, as in <c>create table</c>.</param>
/// <param name="Key">Columns of the primary key.</param>
/// <param name="Sums">Columns that new values are added to; empty where a new row takes the place of the old one.</param>
/// <param name="Indexes">What stands after <c>create index on table</c>.</param>
internal sealed record ReadTable(
    string Name, Type Row, (string Name, string Type)[] Columns, string[] Key, string[] Sums, string[] Indexes);

/// <summary>
/// The tables that all read models are folded into. A build of them is a generation, a schema of its own; the views in
/// <see cref="Schema"/> show the one in force, and are what everybody reads.
/// </summary>
internal static class ReadTables
{
    /// <summary>Where the views are.</summary>
    public const string Schema = "hami_read";

    /// <summary>Raised with every change of the tables or of what is folded into them: a process that starts then builds a new generation.</summary>
    /// <remarks>Of a log that begins at a horizon it builds on rows of the shape of then: see <see cref="Archiving.BaseRows"/> for what is to be done about those.</remarks>
    public const int Shape = 3;

    public const string Allocations = $"{Schema}.allocation";
    public const string Holdings = $"{Schema}.holding";
    public const string Nodes = $"{Schema}.node";
    public const string Devices = $"{Schema}.device";
    public const string Sizes = $"{Schema}.card_size";
    public const string Refusals = $"{Schema}.refusal";
    public const string Usage = $"{Schema}.usage";
    public const string CardDays = $"{Schema}.card_day";

    /// <summary>Which generation is in force, and how far it has folded the log.</summary>
    public const string Head = $"{MartenSetup.Schema}.read_models";

    public static readonly ReadTable Allocation = new(
        "allocation", typeof(AllocationRow),
        [
            ("id", "uuid not null"), ("pod_uid", "text not null"), ("namespace", "text not null"), ("pod", "text not null"),
            ("owner_kind", "text"), ("owner_name", "text"), ("node", "text not null"), ("containers", "integer not null"),
            ("memory_mib", "bigint not null"), ("cores", "bigint not null"), ("shares", "jsonb not null"),
            ("placed_at", "timestamptz not null"), ("placed_position", "bigint not null"), ("waiting_since", "timestamptz"), ("adopted_from", "text"),
            ("bound_at", "timestamptz"), ("attached_at", "timestamptz"), ("shrunk_at", "timestamptz"), ("released_at", "timestamptz"), ("release_reason", "text"),
        ],
        ["id"], [],
        // Newest first, all of them: the position is the order of time, and unique, so that pages need no second column.
        [
            "(placed_position desc)", "(namespace, placed_position desc)", "(namespace, pod, placed_position desc)", "(node, placed_position desc)",
            "(pod_uid)", "(namespace, owner_kind, owner_name, placed_position desc)", "(placed_position desc) where released_at is null", "(placed_at, placed_position)",
        ]);

    public static readonly ReadTable Holding = new(
        "holding", typeof(HoldingRow),
        [
            ("allocation_id", "uuid not null"), ("device_uuid", "text not null"), ("part", "integer not null"), ("node", "text not null"), ("namespace", "text not null"),
            ("owner_kind", "text"), ("owner_name", "text"), ("position", "bigint not null"), ("memory_mib", "bigint not null"), ("cores", "integer not null"),
            ("slots", "integer not null"), ("pods", "integer not null"), ("held_from", "timestamptz not null"), ("held_until", "timestamptz"),
        ],
        ["allocation_id", "device_uuid", "part"], [],
        // By its end: what is asked about is mostly the last days of a long history.
        ["(device_uuid, held_from)", "(node, device_uuid) where held_until is null", "(held_until)"]);

    public static readonly ReadTable Node = new(
        "node", typeof(NodeRow),
        [
            ("name", "text not null"), ("devices", "integer not null"), ("registered_at", "timestamptz not null"), ("changed_at", "timestamptz not null"),
            ("removed_at", "timestamptz"), ("removed_because", "text"),
        ],
        ["name"], [], []);

    public static readonly ReadTable Device = new(
        "device", typeof(DeviceRow),
        [
            ("node", "text not null"), ("uuid", "text not null"), ("accounted_to", "timestamptz not null"), ("is_registered", "boolean not null"),
            ("index", "integer not null"), ("model", "text not null"), ("memory_mib", "bigint not null"), ("cores", "integer not null"),
            ("slots", "integer not null"), ("numa", "integer not null"), ("mode", "text not null"), ("mig_profiles", "jsonb"),
            ("healthy", "boolean not null"), ("healthy_since", "timestamptz"), ("registered_at", "timestamptz"), ("changed_at", "timestamptz"),
            ("removed_at", "timestamptz"), ("sized_at", "timestamptz"), ("sized_position", "bigint not null"), ("cordoned_at", "timestamptz"), ("used_memory_mib", "bigint not null"), ("used_cores", "bigint not null"),
            ("used_slots", "integer not null"), ("held_since", "timestamptz"),
        ],
        ["node", "uuid"], [], ["(uuid)", "(model)"]);

    public static readonly ReadTable CardSize = new(
        "card_size", typeof(CardSizeRow),
        [
            ("node", "text not null"), ("uuid", "text not null"), ("position", "bigint not null"), ("memory_mib", "bigint not null"), ("cores", "integer not null"),
            ("slots", "integer not null"), ("sized_from", "timestamptz not null"), ("sized_until", "timestamptz"),
        ],
        ["node", "uuid", "position"], [], []);

    public static readonly ReadTable Refusal = new(
        "refusal", typeof(RefusalRow),
        [
            ("position", "bigint not null"), ("pod_uid", "text not null"), ("namespace", "text not null"), ("pod", "text not null"),
            ("waiting_since", "timestamptz not null"), ("refused_at", "timestamptz not null"), ("message", "text not null"), ("reasons", "jsonb not null"),
            ("view_position", "bigint not null"), ("ended_at", "timestamptz"), ("ending", "text"),
        ],
        ["position"], [],
        ["(namespace, pod, position desc)", "(pod_uid, position)", "(position) where ended_at is null"]);

    public static readonly ReadTable UsageTable = new(
        "usage", typeof(UsageRow),
        [
            ("day", "date not null"), ("node", "text not null"), ("device_uuid", "text not null"), ("namespace", "text not null"),
            ("owner_kind", "text not null"), ("owner_name", "text not null"),
            ("memory_mib_microseconds", "numeric not null"), ("core_microseconds", "numeric not null"), ("gpu_microseconds", "bigint not null"),
        ],
        ["day", "namespace", "owner_kind", "owner_name", "node", "device_uuid"], ["memory_mib_microseconds", "core_microseconds", "gpu_microseconds"],
        ["(namespace, day)", "(device_uuid, day)"]);

    public static readonly ReadTable CardDay = new(
        "card_day", typeof(CardDayRow),
        [
            ("day", "date not null"), ("node", "text not null"), ("device_uuid", "text not null"),
            ("registered_microseconds", "bigint not null"), ("idle_microseconds", "bigint not null"), ("oversubscribed_microseconds", "bigint not null"),
        ],
        ["day", "node", "device_uuid"], ["registered_microseconds", "idle_microseconds", "oversubscribed_microseconds"],
        ["(device_uuid, day)"]);

    public static readonly ReadTable[] All = [Allocation, Holding, Node, Device, CardSize, Refusal, UsageTable, CardDay];

    /// <summary>The schema that a generation's tables are in.</summary>
    public static string SchemaOf(int generation) => $"{Schema}_{generation}";
}
