using System.Collections.Immutable;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What a watcher reads in one go: the changes after its cursor, where they end, and what completes when more arrive.</summary>
internal sealed record News(Stretch Changes, long UpTo, Task Next);

/// <summary>All objects under one growing revision, as etcd keeps them. Reads share snapshots; writes take one lock.</summary>
internal sealed class ObjectStore : IDisposable
{
    // etcd's --max-request-bytes; there it bounds protobuf, which is somewhat shorter than the JSON here.
    private const int ObjectLimit = 1536 * 1024;
    private const long HistoryBytes = 24 * 1024 * 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<Resource, Shelf> _shelves = new(ReferenceEqualityComparer.Instance);
    private readonly TimeProvider _time;
    private readonly WriteAheadLog? _log;
    private long _revision = 1;

    public ObjectStore(string? path, int historyWindow, TimeProvider time)
    {
        _time = time;
        foreach (var resource in Resources.All.Where(r => r.StoredAs is null))
            _shelves[resource] = new(resource, historyWindow);
        if (path is null)
            return;
        foreach (var entry in WriteAheadLog.Read(path))
            Replay(entry);
        _log = WriteAheadLog.Rewrite(path, _revision, _shelves.Values.SelectMany(s => s.Objects.Values).OrderBy(o => o.Revision));
    }

    public long Revision
    {
        get
        {
            lock (_lock)
                return _revision;
        }
    }

    public Stored? Find(Resource resource, string? @namespace, string name)
    {
        lock (_lock)
            return _shelves[resource.Storage].Objects.GetValueOrDefault(Stored.KeyOf(@namespace, name));
    }

    public Stored Get(Resource resource, string? @namespace, string name) =>
        Find(resource, @namespace, name) ?? throw KubernetesError.NotFound(resource, name);

    /// <summary>All objects of a resource in one namespace, or in all, sorted by namespace and name; and the revision they are true at.</summary>
    public (IEnumerable<Stored> Objects, long Revision) List(Resource resource, string? @namespace = null)
    {
        ImmutableSortedDictionary<string, Stored> objects;
        long revision;
        lock (_lock)
            (objects, revision) = (_shelves[resource.Storage].Objects, _revision);
        return (In(@namespace, objects), revision);
    }

    /// <summary>The same as it was at a revision; refused when the history since then is not complete.</summary>
    public IEnumerable<Stored> ListAt(Resource resource, string? @namespace, long revision)
    {
        ImmutableSortedDictionary<string, Stored> objects;
        Stretch since;
        lock (_lock)
        {
            if (revision > _revision)
                throw KubernetesError.TooLargeRevision(revision, _revision);
            var shelf = _shelves[resource.Storage];
            (objects, since) = (shelf.Objects, shelf.History.Since(revision, Trigger.Any));
        }
        if (since.Length == 0)
            return In(@namespace, objects);
        // Undone from the newest to the oldest.
        var then = objects.ToBuilder();
        for (var i = since.Length - 1; i >= 0; i--)
        {
            var change = since.Span[i];
            if (change.Before is { } before)
                then[before.Key] = before;
            else
                then.Remove(change.After!.Key);
        }
        return In(@namespace, then.ToImmutable());
    }

    /// <summary>Writes a new version if the object is still the expected one (null: not there). Returns null when someone else was faster.</summary>
    /// <remarks>A version equal to the one before is not written again: a real server answers with the old resourceVersion.</remarks>
    public Stored? TryWrite(Resource resource, JsonObject body, Stored? expected, bool dryRun)
    {
        resource = resource.Storage;
        var dryBirth = dryRun && expected is null;
        body = Ordered(body, dryBirth ? null : expected?.Revision ?? 0);
        var draft = new Stored(resource, expected?.Revision ?? 0, Json.Utf8(body), Facts.Of(resource, body, expected?.Facts), _time.GetUtcNow());
        if (draft.Utf8.Length > ObjectLimit)
            throw KubernetesError.TooLargeForStorage();
        var isNews = expected is null || draft.Utf8.Length != expected.Utf8.Length || !Json.Same(body, expected.Body);
        lock (_lock)
        {
            var shelf = _shelves[resource];
            if (!ReferenceEquals(shelf.Objects.GetValueOrDefault(draft.Key), expected))
                return null;
            if (!isNews)
                return expected;
            if (dryRun)
                return draft;
            var stored = draft.At(_revision + 1, body);
            Log(log => log.Put(stored));
            Commit(shelf, new(stored.Revision, expected, stored));
            return stored;
        }
    }

    /// <summary>Removes the object if it is still the expected one; returns it under the removing revision, or null when someone else was faster.</summary>
    public Stored? TryDelete(Stored expected)
    {
        lock (_lock)
        {
            var shelf = _shelves[expected.Resource];
            if (!ReferenceEquals(shelf.Objects.GetValueOrDefault(expected.Key), expected))
                return null;
            var change = new Change(_revision + 1, expected, after: null);
            Log(log => log.Remove(expected, change.Revision));
            Commit(shelf, change);
            return change.Gone;
        }
    }

    public News Since(Resource resource, long revision, Trigger trigger)
    {
        lock (_lock)
        {
            if (revision > _revision)
                throw KubernetesError.TooLargeRevision(revision, _revision);
            var history = _shelves[resource.Storage].History;
            return new(history.Since(revision, trigger), _revision, history.Next(trigger));
        }
    }

    /// <summary>All of a resource's history that is remembered.</summary>
    public Change[] Everything(Resource resource)
    {
        lock (_lock)
        {
            var history = _shelves[resource.Storage].History;
            return history.Since(history.Floor, Trigger.Any).Span.ToArray();
        }
    }

    /// <summary>Refuses a revision from which no watch can begin.</summary>
    public void CheckWatchable(Resource resource, long revision)
    {
        lock (_lock)
        {
            if (revision > _revision)
                throw KubernetesError.TooLargeRevision(revision, _revision);
            _ = _shelves[resource.Storage].History.Since(revision, Trigger.Any);
        }
    }

    /// <summary>Forgets the history so far, as etcd's compaction does: a watch from before it answers 410 Gone.</summary>
    public void Compact()
    {
        lock (_lock)
        {
            foreach (var shelf in _shelves.Values)
                shelf.History.ForgetUpTo(_revision);
        }
    }

    public void Dispose() => _log?.Dispose();

    private static IEnumerable<Stored> In(string? @namespace, ImmutableSortedDictionary<string, Stored> objects) =>
        @namespace is null ? objects.Values : objects.Values.Where(o => o.Namespace == @namespace);

    private void Log(Action<WriteAheadLog> write)
    {
        if (_log is null)
            return;
        try
        {
            write(_log);
        }
        catch (IOException)
        {
            // What etcd says when it has no room: nothing was written, and reads go on.
            throw KubernetesError.NoSpace();
        }
    }

    private void Commit(Shelf shelf, Change change)
    {
        shelf.Objects = change.After is { } after ? shelf.Objects.SetItem(after.Key, after) : shelf.Objects.Remove(change.Before!.Key);
        _revision = change.Revision;
        shelf.History.Add(change);
    }

    private void Replay(LogEntry entry)
    {
        if (entry.Resource is null)
        {
            _revision = entry.Revision;
            foreach (var each in _shelves.Values)
                each.History.ForgetUpTo(_revision);
            return;
        }
        var shelf = _shelves[entry.Resource];
        var before = shelf.Objects.GetValueOrDefault(Stored.KeyOf(entry.Body.TextAt("metadata", "namespace"), entry.Body.TextAt("metadata", "name") ?? ""));
        if (entry.Removed)
        {
            if (before is not null)
                Commit(shelf, new(entry.Revision, before, after: null));
            return;
        }
        var body = entry.Body!;
        Commit(shelf, new(entry.Revision, before, new(entry.Resource, entry.Revision, Json.Utf8(body), Facts.Of(entry.Resource, body, before?.Facts), _time.GetUtcNow())));
    }

    // The order in which Go writes them; a person who compares with a real server's answer sees the same lines.
    private static readonly string[] MetadataOrder =
    [
        "name", "generateName", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
        "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers",
    ];

    private static JsonObject Ordered(JsonObject body, long? revision)
    {
        var metadata = body.Child("metadata");
        metadata.Put("resourceVersion", revision?.ToString());
        var ordered = new JsonObject();
        foreach (var name in MetadataOrder)
        {
            if (metadata.Remove(name, out var value) && value is not null)
                ordered[name] = value;
        }
        var result = new JsonObject { ["metadata"] = ordered };
        body.Remove("metadata");
        foreach (var name in body.Select(p => p.Key).OrderBy(k => k is "status" ? 2 : k is "spec" ? 1 : 0).ToArray())
        {
            body.Remove(name, out var value);
            result[name] = value;
        }
        return result;
    }

    private sealed class Shelf(Resource resource, int window)
    {
        public ImmutableSortedDictionary<string, Stored> Objects { get; set; } = ImmutableSortedDictionary.Create<string, Stored>(StringComparer.Ordinal);

        public History History { get; } = new(resource, window, HistoryBytes);
    }
}
