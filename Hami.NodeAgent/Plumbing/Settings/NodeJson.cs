using System.Globalization;
using System.Text.Json;

namespace Hami.NodeAgent.Plumbing.Settings;

/// <summary>HAMi's per-node configuration (<c>config.json</c>): the entries that name this node, later ones over earlier.</summary>
/// <remarks>
/// Unlike HAMi's, an explicit <c>false</c> or zero counts, where it can be a value; a split count or scaling of zero says nothing, as there.
/// Other nodes' entries are not looked at, so a slip in one of them is that node's alone.
/// </remarks>
internal static class NodeJson
{
    /// <exception cref="SettingsException">The text says something unusable.</exception>
    public static NodeEntry Parse(string text, string node, string path)
    {
        try
        {
            using var json = JsonDocument.Parse(text);
            var found = NodeEntry.None;
            if (json.RootElement.ValueKind is not JsonValueKind.Object)
                throw new SettingsException($"The node configuration {path} is not a JSON object; write {{\"nodeconfig\":[…]}}.");
            if (Find(json.RootElement, "nodeconfig") is not { } entries)
                return found;
            if (entries.ValueKind is not JsonValueKind.Array)
                throw new SettingsException($"In the node configuration {path} nodeconfig is no list; write {{\"nodeconfig\":[{{\"name\":\"{node}\",…}}]}}.");
            foreach (var entry in entries.EnumerateArray())
                if (entry.ValueKind is JsonValueKind.Object && Find(entry, "name") is { ValueKind: JsonValueKind.String } name && name.GetString() == node)
                    found = Merge(found, new(entry, node, path));
            return found;
        }
        catch (JsonException e)
        {
            throw new SettingsException(
                string.Create(CultureInfo.InvariantCulture, $"The node configuration {path} is not JSON at line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}; mend that line."), e);
        }
    }

    private static NodeEntry Merge(NodeEntry before, Keys keys) => new()
    {
        OperatingMode = keys.OneOf("operatingmode", "hami-core", "mig", "mps") ?? before.OperatingMode,
        SplitCount = keys.Whole("devicesplitcount", 1000) is { } split and > 0 ? (int)split : before.SplitCount,
        MemoryScaling = keys.Factor("devicememoryscaling") ?? before.MemoryScaling,
        CoreScaling = keys.Factor("devicecorescaling") ?? before.CoreScaling,
        PreConfiguredMemoryMiB = keys.Whole("preconfigureddevicememory", int.MaxValue) ?? before.PreConfiguredMemoryMiB,
        LibCudaLogLevel = keys.TextOrNumber("libcudaloglevel") ?? before.LibCudaLogLevel,
        NumaTopology = keys.Switch("enablenumatopology") ?? before.NumaTopology,
        MigStrategy = keys.OneOf("migstrategy", "none", "single", "mixed") is { } strategy ? Enum.Parse<MigStrategy>(strategy, ignoreCase: true) : before.MigStrategy,
        Hidden = keys.Filter() ?? before.Hidden,
        PreferredAllocation = keys.Switch("enablegetpreferredallocation") ?? before.PreferredAllocation,
    };

    // As Go reads JSON: capitals do not matter, null is nothing.
    private static JsonElement? Find(JsonElement entry, string key)
    {
        foreach (var property in entry.EnumerateObject())
            if (string.Equals(property.Name, key, StringComparison.OrdinalIgnoreCase) && property.Value.ValueKind is not JsonValueKind.Null)
                return property.Value;
        return null;
    }

    private sealed class Keys(JsonElement entry, string node, string path)
    {
        public string? OneOf(string key, params string[] words) => Find(entry, key) switch
        {
            null => null,
            { ValueKind: JsonValueKind.String } text when text.GetString() is "" => null,
            { ValueKind: JsonValueKind.String } text when words.Contains(text.GetString()) => text.GetString(),
            { } other => throw Wrong(key, other, string.Join(" or ", words)),
        };

        public long? Whole(string key, int most) => Find(entry, key) switch
        {
            null => null,
            { ValueKind: JsonValueKind.Number } number when number.TryGetInt64(out var whole) && whole >= 0 && whole <= most => whole,
            { } other => throw Wrong(key, other, string.Create(CultureInfo.InvariantCulture, $"a whole number from 0 to {most}")),
        };

        public double? Factor(string key) => Find(entry, key) switch
        {
            null => null,
            { ValueKind: JsonValueKind.Number } number when number.GetDouble() is >= 0 and var factor && double.IsFinite(factor) => factor > 0 ? factor : null,
            { } other => throw Wrong(key, other, "a number above 0, such as 1.5"),
        };

        public string? TextOrNumber(string key) => Find(entry, key) switch
        {
            null => null,
            { ValueKind: JsonValueKind.String } text => text.GetString() is { Length: > 0 } level ? level : null,
            { ValueKind: JsonValueKind.Number } number => number.GetRawText(),
            { } other => throw Wrong(key, other, "a number, such as 1"),
        };

        public bool? Switch(string key) => Find(entry, key) switch
        {
            null => null,
            { ValueKind: JsonValueKind.True } => true,
            { ValueKind: JsonValueKind.False } => false,
            { } other => throw Wrong(key, other, "true or false"),
        };

        public HiddenCards? Filter() => Find(entry, "filterdevices") switch
        {
            null => null,
            { ValueKind: JsonValueKind.Object } filter => new(
                [.. List(filter, "uuid", JsonValueKind.String, "a list of cards' UUIDs").Select(u => u.GetString()!)],
                [.. List(filter, "index", JsonValueKind.Number, "a list of cards' indices").Select(i => i.TryGetInt32(out var index) ? index : throw Wrong("filterdevices.index", i, "a list of cards' indices"))]),
            { } other => throw Wrong("filterdevices", other, "{\"uuid\":[…],\"index\":[…]}"),
        };

        private IEnumerable<JsonElement> List(JsonElement filter, string key, JsonValueKind kind, string expected) => Find(filter, key) switch
        {
            null => [],
            { ValueKind: JsonValueKind.Array } list when list.EnumerateArray().All(e => e.ValueKind == kind) => list.EnumerateArray(),
            { } other => throw Wrong($"filterdevices.{key}", other, expected),
        };

        private SettingsException Wrong(string key, JsonElement value, string expected) =>
            new($"In the node configuration {path} {key} of node {node} is {value.GetRawText()}; write {expected}.");
    }
}
