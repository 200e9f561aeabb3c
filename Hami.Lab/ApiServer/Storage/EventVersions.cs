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
        foreach (var (stored, @new) in Renamed)
            Rename(body, stored, @new);
        return body;
    }

    public static JsonObject ToStorage(JsonObject body, Resource version)
    {
        if (version.StoredAs is null)
            return body;
        foreach (var (stored, @new) in Renamed)
            Rename(body, @new, stored);
        return body;
    }

    private static void Rename(JsonObject body, string from, string to)
    {
        if (!body.Remove(from, out var value) || value is null)
            return;
        body[to] = value;
    }
}
