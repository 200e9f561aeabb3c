namespace Hami.Lab.ApiServer;

/// <summary>The last changes of one resource, in order. Used under the store's lock.</summary>
internal sealed class History(int window)
{
    private readonly List<Change> _changes = [];
    private TaskCompletionSource _next = NewPulse();

    /// <summary>The revision after which this history is complete.</summary>
    public long Floor { get; private set; }

    /// <summary>Completes at the next change.</summary>
    public Task Next => _next.Task;

    public void Add(Change change)
    {
        _changes.Add(change);
        // Trimmed in halves, so that a busy store does not move the list on every write.
        if (_changes.Count > 2 * window)
            Forget(_changes.Count - window);
        var pulse = _next;
        _next = NewPulse();
        pulse.SetResult();
    }

    public Change[] Since(long revision)
    {
        if (revision < Floor)
            throw KubernetesError.Expired(revision, Floor);
        var (low, high) = (0, _changes.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_changes[middle].Revision <= revision)
                low = middle + 1;
            else
                high = middle;
        }
        return [.. _changes.Skip(low)];
    }

    public void ForgetUpTo(long revision)
    {
        _changes.RemoveAll(c => c.Revision <= revision);
        Floor = Math.Max(Floor, revision);
    }

    private void Forget(int count)
    {
        Floor = _changes[count - 1].Revision;
        _changes.RemoveRange(0, count);
    }

    private static TaskCompletionSource NewPulse() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
