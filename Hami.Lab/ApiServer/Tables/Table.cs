using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>A column of a table; priority 1 shows only with <c>-o wide</c>.</summary>
internal sealed record Column(string Name, int Priority = 0, string Format = "", string Type = "string");

/// <summary>How objects of one resource look as lines, for <c>kubectl get</c>.</summary>
internal sealed class Table(Column[] columns, Func<JsonObject, DateTimeOffset, JsonArray> cells, Func<JsonObject, JsonArray?>? conditions = null)
{
    public static readonly Column Name = new("Name", Format: "name");
    public static readonly Column Age = new("Age");

    public static readonly Table NameAndAge = new(
        [Name, new("Created At", Format: "date")],
        (o, _) => [o.TextAt("metadata", "name"), o.TextAt("metadata", "creationTimestamp")]);

    public JsonObject Of(IEnumerable<Stored> objects, Resource version, JsonObject metadata, string include, DateTimeOffset now, bool withColumns = true) => new()
    {
        ["kind"] = "Table",
        ["apiVersion"] = "meta.k8s.io/v1",
        ["metadata"] = metadata,
        ["columnDefinitions"] = withColumns
            ? new JsonArray([.. columns.Select(c => new JsonObject
            {
                ["name"] = c.Name, ["type"] = c.Type, ["format"] = c.Format, ["description"] = "", ["priority"] = c.Priority,
            })])
            : null,
        ["rows"] = new JsonArray([.. objects.Select(o => Row(o, version, include, now))]),
    };

    private JsonObject Row(Stored stored, Resource version, string include, DateTimeOffset now)
    {
        var row = new JsonObject { ["cells"] = cells(stored.Body, now) };
        if (conditions?.Invoke(stored.Body) is { } said)
            row["conditions"] = said;
        row["object"] = include switch
        {
            "None" => null,
            "Object" => stored.Typed(version),
            _ => Partial(stored),
        };
        return row;
    }

    public static JsonObject Partial(Stored stored) => new()
    {
        ["kind"] = "PartialObjectMetadata",
        ["apiVersion"] = "meta.k8s.io/v1",
        ["metadata"] = stored.Body["metadata"]?.DeepClone(),
    };
}
