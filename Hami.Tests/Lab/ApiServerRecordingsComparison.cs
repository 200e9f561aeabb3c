using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hami.Tests.Lab;

/// <summary>Says where an answer of the lab differs from the recorded one: in a field, a type or a value.</summary>
/// <remarks>
/// What the lab leaves out, and the recordings here no longer hold: managedFields, storageVersionHash, the descriptions of a table's columns,
/// and protobuf (who prefers it gets JSON). Discovery lists only what the lab keeps.
/// </remarks>
internal static class ApiServerRecordingsComparison
{
    // Two clusters, or two runs of one, differ in these; their type counts all the same.
    private static readonly HashSet<string> Own = new(StringComparer.Ordinal)
    {
        "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "remainingItemCount", "gitVersion", "gitCommit", "goVersion", "compiler", "serverAddress",
    };

    // What is listed by name may be shorter here.
    private static readonly string[] DiscoveryKeys = ["resource", "subresource", "name", "version"];

    private static readonly string[] DiscoveryKinds = ["APIGroupDiscoveryList", "APIResourceList"];

    private static readonly string[] AgeColumns = ["Age", "Last Seen", "First Seen"];

    public static List<string> Differences(JsonNode? recorded, JsonNode? here)
    {
        var found = new List<string>();
        var (then, now) = (recorded?.DeepClone(), here?.DeepClone());
        foreach (var side in (JsonNode?[])[then, now])
        {
            ForgetTokenVolume(side);
            ForgetAges(side);
        }
        Compare(then, now, "", ByName(then), found);
        return found;
    }

    private static bool ByName(JsonNode? answer) => answer is JsonObject map && map["kind"] is JsonValue kind && DiscoveryKinds.Contains((string?)kind, StringComparer.Ordinal);

    private static void Compare(JsonNode? recorded, JsonNode? here, string path, bool byName, List<string> found)
    {
        if (Kind(recorded) != Kind(here))
        {
            found.Add($"{path}: recorded {Kind(recorded)}, here {Kind(here)} {here?.ToJsonString()}");
            return;
        }
        switch (recorded)
        {
            case JsonObject then:
                var now = here!.AsObject();
                foreach (var (name, value) in then)
                {
                    if (!now.ContainsKey(name) && byName && name is "subresources")
                        continue;
                    if (!now.ContainsKey(name))
                        found.Add($"{path}.{name}: is missing here");
                    else if (!Own.Contains(name) || Kind(value) != Kind(now[name]))
                        Compare(value, now[name], $"{path}.{name}", byName, found);
                }
                found.AddRange(now.Where(p => !then.ContainsKey(p.Key)).Select(p => $"{path}.{p.Key}: is not recorded"));
                break;
            case JsonArray then when byName && then.Any(i => i is JsonObject):
                foreach (var item in here!.AsArray().Where(i => NameOf(i) is not null))
                {
                    if (then.FirstOrDefault(t => NameOf(t) == NameOf(item)) is { } match)
                        Compare(match, item, $"{path}[{NameOf(item)}]", byName, found);
                    else
                        found.Add($"{path}[{NameOf(item)}]: is not recorded");
                }
                break;
            case JsonArray then:
                var list = here!.AsArray();
                if (then.Count != list.Count)
                    found.Add($"{path}: recorded {then.Count} items, here {list.Count}: {list.ToJsonString()}");
                for (var i = 0; i < Math.Min(then.Count, list.Count); i++)
                    Compare(then[i], list[i], $"{path}[{i}]", byName, found);
                break;
            case not null when !JsonNode.DeepEquals(recorded, here):
                found.Add($"{path}: recorded {recorded.ToJsonString()}, here {here!.ToJsonString()}");
                break;
        }
    }

    private static string? NameOf(JsonNode? item) => item is not JsonObject map
        ? null
        : DiscoveryKeys.Select(k => (string?)map[k]).FirstOrDefault(n => n is not null) ?? (string?)map["metadata"]?["name"] ?? "";

    private static string Kind(JsonNode? node) => node?.GetValueKind() switch
    {
        null => "null",
        JsonValueKind.True or JsonValueKind.False => "bool",
        var kind => kind.ToString()!,
    };

    // Every cluster names it anew, and the recorded distribution projects one file more.
    private static void ForgetTokenVolume(JsonNode? answer)
    {
        if (answer?["spec"]?["volumes"] is not JsonArray volumes)
            return;
        foreach (var volume in volumes.Where(v => v!["projected"] is not null).ToArray())
            volumes.Remove(volume);
        foreach (var container in answer["spec"]!["containers"]!.AsArray())
            container!.AsObject().Remove("volumeMounts");
    }

    private static void ForgetAges(JsonNode? answer)
    {
        if (answer?["columnDefinitions"] is not JsonArray columns)
            return;
        foreach (var column in columns)
            column!.AsObject().Remove("description");
        for (var i = 0; i < columns.Count; i++)
        {
            if (!AgeColumns.Contains((string?)columns[i]!["name"], StringComparer.Ordinal))
                continue;
            foreach (var row in answer["rows"]!.AsArray())
                row!["cells"]![i] = "some time";
        }
    }
}
