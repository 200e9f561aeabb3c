using System.Collections.Immutable;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>What a watcher reads in one go: the changes after its cursor, where they end, and what completes when more arrive.</summary>
internal sealed record News(Change[] Changes, long UpTo, Task Next);

/// <summary>All objects under one growing revision, as etcd keeps them. Reads share snapshots; writes take one lock.</summary>
internal sealed class ObjectStore : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Resource, Shelf> _shelves;
    private readonly WriteAheadLog? _log;
    private long _revision = 1;

    public ObjectStore(string? path, int historyWindow)
    {
        _shelves = Resources.All.Where(r => r.StoredAs is null).ToDictionary(r => r, _ => new Shelf(historyWindow));
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
        return (@namespace is null ? objects.Values : objects.Values.Where(o => o.Namespace == @namespace), revision);
    }

    /// <summary>Writes a new version if the object is still the expected one (null: not there). Returns null when someone else was faster.</summary>
    /// <remarks>A version equal to the one before is not written again: a real server answers with the old resourceVersion.</remarks>
    public Stored? TryWrite(Resource resource, JsonObject body, Stored? expected, bool dryRun)
    {
        resource = resource.Storage;
        var key = Stored.KeyOf(body.TextAt("metadata", "namespace"), body.TextAt("metadata", "name") ?? "");
        lock (_lock)
        {
            var shelf = _shelves[resource];
            if (!ReferenceEquals(shelf.Objects.GetValueOrDefault(key), expected))
                return null;
            var metadata = body.Child("metadata");
            if (expected is not null)
            {
                metadata["resourceVersion"] = expected.Revision.ToString();
                if (Json.Same(body, expected.Body))
                    return expected;
            }
            if (dryRun)
                return new(resource, expected?.Revision ?? 0, body);
            var stored = new Stored(resource, _revision + 1, Ordered(body, _revision + 1));
            _log?.Put(stored);
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
            var last = expected.At(_revision + 1);
            _log?.Remove(last);
            Commit(shelf, new(last.Revision, last, After: null));
            return last;
        }
    }

    public News Since(Resource resource, long revision)
    {
        lock (_lock)
        {
            if (revision > _revision)
                throw KubernetesError.TooLargeRevision(revision, _revision);
            var history = _shelves[resource.Storage].History;
            return new(history.Since(revision), _revision, history.Next);
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
        var stored = new Stored(entry.Resource, entry.Revision, entry.Body!);
        var before = shelf.Objects.GetValueOrDefault(stored.Key);
        Commit(shelf, entry.Removed ? new(entry.Revision, stored, After: null) : new(entry.Revision, before, stored));
    }

    // The order in which Go writes them; a person who compares with a real server's answer sees the same lines.
    private static readonly string[] MetadataOrder =
    [
        "name", "generateName", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
        "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers",
    ];

    private static JsonObject Ordered(JsonObject body, long revision)
    {
        var metadata = body.Child("metadata");
        metadata["resourceVersion"] = revision.ToString();
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
        return (JsonObject)Json.Settle(result)!;
    }

    private sealed class Shelf(int window)
    {
        public ImmutableSortedDictionary<string, Stored> Objects { get; set; } = ImmutableSortedDictionary.Create<string, Stored>(StringComparer.Ordinal);

        public History History { get; } = new(window);
    }
}
