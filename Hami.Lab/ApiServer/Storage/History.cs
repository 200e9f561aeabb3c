namespace Hami.Lab.ApiServer;

/// <summary>Some changes in order, ready to be read without the store's lock.</summary>
internal readonly record struct Stretch(Change[] Changes, int From, int To)
{
    public int Length => To - From;

    public ReadOnlySpan<Change> Span => Changes.AsSpan(From, Length);
}

/// <summary>The last changes of one resource, in order. Used under the store's lock; a stretch of it may be read outside.</summary>
/// <remarks>An array is only ever appended to, and replaced when it is full or forgets: whoever holds it reads on undisturbed.</remarks>
internal sealed class History(Resource resource, int window, long windowBytes)
{
    private readonly Dictionary<Trigger, TaskCompletionSource> _waiting = [];
    private readonly bool _onNodes = SelectableFields.IndexOf(resource, "spec.nodeName") == 0;
    private Change[] _changes = new Change[64];
    private int _count;
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
        if (_count == _changes.Length)
            Array.Resize(ref _changes, 2 * _count);
        _changes[_count++] = change;
        var bytes = BytesOf(change);
        _bytes += bytes;
        // Trimmed in halves, so that a busy store does not move the list on every write.
        if (_count > 2 * window || _bytes > 2 * windowBytes)
            Trim();
        Wake(change, bytes);
    }

    /// <summary>The changes after a revision; refused when some of them are forgotten.</summary>
    public Stretch Since(long revision)
    {
        if (revision < Floor)
            throw KubernetesError.Expired(revision, Floor);
        var (low, high) = (0, _count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_changes[middle].Revision <= revision)
                low = middle + 1;
            else
                high = middle;
        }
        return new(_changes, low, _count);
    }

    public void ForgetUpTo(long revision)
    {
        var kept = _changes.Take(_count).Where(c => c.Revision > revision).ToArray();
        Keep(kept);
        Floor = Math.Max(Floor, revision);
    }

    private void Trim()
    {
        var (first, bytes) = (_count, 0L);
        while (first > 0 && _count - first < window && (bytes += BytesOf(_changes[first - 1])) <= windowBytes)
            first--;
        if (first == 0)
            return;
        Floor = _changes[first - 1].Revision;
        Keep(_changes[first.._count]);
    }

    private void Keep(Change[] kept)
    {
        _count = kept.Length;
        _bytes = kept.Sum(BytesOf);
        _changes = kept;
        if (_changes.Length == 0)
            _changes = new Change[64];
    }

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
