using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>The two faces of an Event: <c>v1</c> is stored, <c>events.k8s.io/v1</c> renames seven fields (pkg/apis/core, events/v1 conversion).</summary>
internal static class EventVersions
{
    private static readonly (string Stored, string New)[] Renamed =
    [
        ("involvedObject", "regarding"), ("message", "note"), ("reportingComponent", "reportingController"), ("source", "deprecatedSource"),
        ("firstTimestamp", "deprecatedFirstTimestamp"), ("lastTimestamp", "deprecatedLastTimestamp"), ("count", "deprecatedCount"),
    ];

    public static JsonObject FromStorage(JsonObject body, Resource version)
    {
        if (version.StoredAs is null)
            return body;
        // The newer version leaves out what nobody has set.
        foreach (var name in (string[])["reportingComponent", "reportingInstance"])
        {
            if (body.TextAt(name) is "")
                body.Remove(name);
        }
        foreach (var (stored, @new) in Renamed)
            Rename(body, stored, @new);
        return body;
    }

    public static JsonObject ToStorage(JsonObject body, Resource version)
    {
        if (!ReferenceEquals(version.Storage, Resources.Events))
            return body;
        if (version.StoredAs is not null)
        {
            foreach (var (stored, @new) in Renamed)
                Rename(body, @new, stored);
        }
        // Go writes these even when nobody has set them.
        foreach (var name in (string[])["involvedObject", "source"])
            body.SetIfMissing(name, new JsonObject());
        foreach (var name in (string[])["firstTimestamp", "lastTimestamp", "eventTime"])
            body[name] = body[name]?.DeepClone();
        foreach (var name in (string[])["reportingComponent", "reportingInstance"])
            body.SetIfMissing(name, "");
        return body;
    }

    private static void Rename(JsonObject body, string from, string to)
    {
        if (body.Remove(from, out var value))
            body[to] = value;
    }
}
