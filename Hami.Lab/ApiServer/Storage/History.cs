namespace Hami.Lab.ApiServer;

/// <summary>The last changes of one resource, in order. Used under the store's lock.</summary>
internal sealed class History(Resource resource, int window, long windowBytes)
{
    private readonly Dictionary<Trigger, TaskCompletionSource> _waiting = [];
    private readonly bool _onNodes = SelectableFields.IndexOf(resource, "spec.nodeName") == 0;
    private readonly ChangeList _changes = new(64);

    // A kubelet and an agent of each node watch its pods alone, and would pass over those of all others.
    private readonly Dictionary<string, ChangeList> _ofNode = new(StringComparer.Ordinal);
    private long _bytes;
    private int _sinceAllWoke;
    private long _bytesSinceAllWoke;

    /// <summary>The revision after which this history is complete.</summary>
    public long Floor { get; private set; }

    /// <summary>Completes at the next change that a watcher with this trigger may want to see, or some time later.</summary>
    public Task Next(Trigger trigger)
    {
        if (!_waiting.TryGetValue(trigger, out var pulse))
            _waiting[trigger] = pulse = new(TaskCreationOptions.RunContinuationsAsynchronously);
        return pulse.Task;
    }

    public void Add(Change change)
    {
        _changes.Add(change);
        foreach (var node in NodesOf(change))
        {
            if (!_ofNode.TryGetValue(node, out var its))
                _ofNode[node] = its = new(4);
            its.Add(change);
        }
        var bytes = BytesOf(change);
        _bytes += bytes;
        // Trimmed in halves, so that a busy store does not move the list on every write.
        if (_changes.Count > 2 * window || _bytes > 2 * windowBytes)
            Trim();
        Wake(change, bytes);
    }

    /// <summary>The changes after a revision, or those of them that a watcher with this trigger may want to see; refused when some are forgotten.</summary>
    public Stretch Since(long revision, Trigger trigger)
    {
        if (revision < Floor)
            throw KubernetesError.Expired(revision, Floor);
        if (!_onNodes || trigger.OnNode is not { } node)
            return _changes.Since(revision);
        return _ofNode.TryGetValue(node, out var its) ? its.Since(revision) : default;
    }

    public void ForgetUpTo(long revision)
    {
        Floor = Math.Max(Floor, revision);
        _changes.ForgetUpTo(Floor);
        foreach (var (node, its) in _ofNode)
        {
            its.ForgetUpTo(Floor);
            if (its.Count == 0)
                _ofNode.Remove(node);
        }
        _bytes = 0;
        foreach (var change in _changes.Since(Floor).Span)
            _bytes += BytesOf(change);
    }

    private void Trim()
    {
        var (first, bytes) = (_changes.Count, 0L);
        while (first > 0 && _changes.Count - first < window && (bytes += BytesOf(_changes[first - 1])) <= windowBytes)
            first--;
        if (first > 0)
            ForgetUpTo(_changes[first - 1].Revision);
    }

    // One that moves to a node was on none before.
    private IEnumerable<string> NodesOf(Change change)
    {
        if (!_onNodes)
            return [];
        var (before, after) = (NodeOf(change.Before), NodeOf(change.After));
        return before == after ? [after] : [before, after];
    }

    private static string NodeOf(Stored? version) => version?.Facts.Fields[0] ?? "";

    private void Wake(Change change, long bytes)
    {
        _sinceAllWoke++;
        _bytesSinceAllWoke += bytes;
        // A watcher that nothing concerns moves on now and then, or the history would be trimmed away under it.
        if (_sinceAllWoke > window / 2 || _bytesSinceAllWoke > windowBytes / 2)
        {
            (_sinceAllWoke, _bytesSinceAllWoke) = (0, 0);
            foreach (var pulse in _waiting.Values)
                pulse.SetResult();
            _waiting.Clear();
            return;
        }
        if (_waiting.Count == 0)
            return;
        Wake(Trigger.Any);
        foreach (var version in (ReadOnlySpan<Stored?>)[change.Before, change.After])
        {
            if (version is null)
                continue;
            Wake(Trigger.Name(version.Name));
            if (_onNodes)
                Wake(Trigger.Node(version.Facts.Fields[0]));
        }
    }

    private void Wake(Trigger trigger)
    {
        if (_waiting.Remove(trigger, out var pulse))
            pulse.SetResult();
    }

    // What is there before a change is what came after an earlier one, and counted there.
    private static long BytesOf(Change change) => (change.After ?? change.Before)!.Utf8.Length + 200;
}
