using System.Text.Json.Nodes;
using Hami.Lab.ApiServer;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>A client that follows one selection, hangs up at random and resumes after the last thing it heard.</summary>
internal sealed class ApiServerWatcher
{
    private static readonly string[] Selections =
    [
        "", "", "labelSelector=colour%3Dred", "labelSelector=colour+in+(red,blue)", "labelSelector=!colour", "labelSelector=colour!%3Dgreen", "fieldSelector=metadata.name%3Do1",
        "fieldSelector=spec.nodeName%3Dn1", "fieldSelector=spec.nodeName%3D", "fieldSelector=status.phase%3DRunning", "fieldSelector=status.phase!%3DSucceeded&labelSelector=colour",
    ];

    private readonly Random _random;
    private readonly string? _namespace;
    private readonly string _selection;
    private readonly bool _slow;
    private readonly bool _bookmarks;
    private readonly bool _asksForState;
    private readonly List<Heard> _heard = [];
    // Where it began, with the state it was given there; a new one whenever the server had forgotten where it was.
    private readonly List<Beginning> _beginnings = [];
    private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long? _cursor;

    /// <summary>A watcher by chance, or one that sees every pod from the start.</summary>
    public ApiServerWatcher(int seed, bool everything)
    {
        _random = new(seed);
        _selection = everything ? "" : Selections[_random.Next(Selections.Length)];
        // Only pods have these fields.
        Resource = _selection.Contains("spec.", StringComparison.Ordinal) || _selection.Contains("status.", StringComparison.Ordinal) || everything || _random.Next(2) == 0 ? "pods" : "configmaps";
        _namespace = !everything && _random.Next(3) == 0 ? "default" : null;
        (_slow, _bookmarks, _asksForState) = (_random.Next(4) == 0, _random.Next(2) == 0, _random.Next(3) == 0);
        BeginsAfter = everything ? 0 : _random.Next(150);
    }

    private sealed record Heard(string Type, long Revision, string Key, string Body);

    private sealed record Beginning(long Revision, Dictionary<string, string> State, int HeardBefore);

    public string Resource { get; }

    public int BeginsAfter { get; }

    public int Events => _heard.Count;

    /// <summary>Completes when it knows where it began.</summary>
    public Task Begun => _begun.Task;

    public override string ToString() => $"{Resource} in {_namespace ?? "all"} with '{_selection}'{(_slow ? " slow" : "")}{(_bookmarks ? " with bookmarks" : "")}{(_asksForState ? " by watching only" : "")}";

    /// <summary>Listens once: some events, or to the end of what there is.</summary>
    public async Task Listen(HttpClient client, bool toTheEnd)
    {
        var path = _namespace is null ? $"/api/v1/{Resource}" : $"/api/v1/namespaces/{_namespace}/{Resource}";
        var query = _selection.Length > 0 ? $"{_selection}&" : "";
        if (_cursor is null && !_asksForState)
            await List(client, $"{path}?{query}");
        var initial = _cursor is null;
        var asked = initial
            ? "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
            : $"watch=true&resourceVersion={_cursor}&allowWatchBookmarks={(_bookmarks || toTheEnd ? "true" : "false")}";
        var left = toTheEnd || initial ? int.MaxValue : _random.Next(1, 15);

        using var response = await client.GetAsync($"{path}?{query}{asked}&timeoutSeconds=1", HttpCompletionOption.ResponseHeadersRead, Cancellation);
        response.EnsureSuccessStatusCode();
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        var state = new Dictionary<string, string>(StringComparer.Ordinal);
        while (left-- > 0 && await lines.ReadLineAsync(Cancellation) is { } line)
        {
            var change = JsonNode.Parse(line)!;
            var (type, item) = ((string)change["type"]!, change["object"]!.AsObject());
            if (type is "ERROR")
            {
                Assert.Equal(410, (int)item["code"]!);
                _cursor = null;
                return;
            }
            var revision = long.Parse((string)item["metadata"]!["resourceVersion"]!);
            if (type is "BOOKMARK" && initial)
            {
                (initial, left) = (false, toTheEnd ? int.MaxValue : _random.Next(1, 15));
                _beginnings.Add(new(revision, state, _heard.Count));
                _begun.TrySetResult();
                _cursor = revision;
            }
            else if (type is "BOOKMARK")
            {
                _cursor = revision;
            }
            else if (initial)
            {
                Assert.Equal("ADDED", type);
                Assert.True(state.TryAdd(Key(item), Body(item)), $"{Key(item)} twice in the first state");
            }
            else
            {
                _heard.Add(new(type, revision, Key(item), Body(item)));
                _cursor = revision;
            }
            if (_slow)
                await Task.Delay(_random.Next(4), Cancellation);
        }
        // Broken off before the state was whole: begun anew.
    }

    /// <summary>Compares all it heard with the history of the resource.</summary>
    public void Check(List<Change> history, string who)
    {
        for (var b = 0; b < _beginnings.Count; b++)
        {
            var begun = _beginnings[b];
            var state = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var change in history.Where(c => c.Revision <= begun.Revision))
                Fold(state, Seen(change));
            Assert.True(Same(state, begun.State), $"{who}: what it was told is there at {begun.Revision} is not what was there");

            var until = b + 1 < _beginnings.Count ? _beginnings[b + 1] : null;
            var heard = _heard[begun.HeardBefore..(until?.HeardBefore ?? _heard.Count)];
            // Up to where it got before it had to begin anew; the last time to the end.
            var to = until is null ? long.MaxValue : heard.Count > 0 ? heard[^1].Revision : begun.Revision;
            var expected = history.Where(c => c.Revision > begun.Revision && c.Revision <= to).Select(Seen).OfType<Heard>().ToList();
            for (var i = 0; i < Math.Min(expected.Count, heard.Count); i++)
                Assert.True(expected[i] == heard[i], $"{who}: event {i} since {begun.Revision} was {heard[i]} and should have been {expected[i]}");
            Assert.True(expected.Count == heard.Count, $"{who}: heard {heard.Count} events since {begun.Revision} and should have heard {expected.Count}");
        }
        Assert.NotEmpty(_beginnings);
    }

    private async Task List(HttpClient client, string path)
    {
        var list = JsonNode.Parse(await client.GetStringAsync(path, Cancellation))!;
        var state = list["items"]!.AsArray().ToDictionary(i => Key(i!), i => Body(i!.AsObject()), StringComparer.Ordinal);
        _cursor = long.Parse((string)list["metadata"]!["resourceVersion"]!);
        _beginnings.Add(new(_cursor.Value, state, _heard.Count));
        _begun.TrySetResult();
    }

    private static bool Same(Dictionary<string, string> left, Dictionary<string, string> right) =>
        left.Count == right.Count && left.All(p => right.TryGetValue(p.Key, out var other) && other == p.Value);

    private static void Fold(Dictionary<string, string> state, Heard? heard)
    {
        if (heard is null)
            return;
        if (heard.Type is "DELETED")
            state.Remove(heard.Key);
        else
            state[heard.Key] = heard.Body;
    }

    // How this watcher has to hear of a change; found with its own eyes, not the server's.
    private Heard? Seen(Change change)
    {
        var (before, after) = (Mine(change.Before), Mine(change.After));
        return (before, after) switch
        {
            (null, null) => null,
            (null, { } added) => new("ADDED", change.Revision, Key(added), Body(added)),
            ({ } gone, null) => new("DELETED", change.Revision, Key(gone), Body(At(gone, change.Revision))),
            (_, { } modified) => new("MODIFIED", change.Revision, Key(modified), Body(modified)),
        };
    }

    private JsonObject? Mine(Stored? stored)
    {
        if (stored is null)
            return null;
        var item = JsonNode.Parse(stored.Utf8.Span)!.AsObject();
        if (_namespace is not null && (string?)item["metadata"]!["namespace"] != _namespace)
            return null;
        var (colour, node, phase) = ((string?)item["metadata"]!["labels"]?["colour"], (string?)item["spec"]?["nodeName"] ?? "", (string?)item["status"]?["phase"]);
        var mine = _selection switch
        {
            "" => true,
            "labelSelector=colour%3Dred" => colour is "red",
            "labelSelector=colour+in+(red,blue)" => colour is "red" or "blue",
            "labelSelector=!colour" => colour is null,
            "labelSelector=colour!%3Dgreen" => colour is not "green",
            "fieldSelector=metadata.name%3Do1" => (string)item["metadata"]!["name"]! is "o1",
            "fieldSelector=spec.nodeName%3Dn1" => node is "n1",
            "fieldSelector=spec.nodeName%3D" => node.Length == 0,
            "fieldSelector=status.phase%3DRunning" => phase is "Running",
            _ => phase is not "Succeeded" && colour is not null,
        };
        return mine ? item : null;
    }

    private static JsonObject At(JsonObject item, long revision)
    {
        item["metadata"]!["resourceVersion"] = revision.ToString();
        return item;
    }

    private static string Key(JsonNode item) => $"{item["metadata"]!["namespace"]}/{item["metadata"]!["name"]}";

    private static string Body(JsonObject item)
    {
        var body = item.DeepClone().AsObject();
        body.Remove("kind");
        body.Remove("apiVersion");
        return body.ToJsonString();
    }
}
