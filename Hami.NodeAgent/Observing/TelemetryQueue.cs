namespace Hami.NodeAgent.Observing;

/// <summary>Moments that wait to be told, so many and no more: the oldest is given up first.</summary>
internal sealed class TelemetryQueue(int most)
{
    private readonly Lock gate = new();
    private readonly LinkedList<NodeMoment> waiting = [];
    private ulong dropped;

    public int Count
    {
        get
        {
            lock (gate)
                return waiting.Count;
        }
    }

    /// <summary>How many were given up.</summary>
    public ulong Dropped
    {
        get
        {
            lock (gate)
                return dropped;
        }
    }

    /// <summary>Returns false when another had to be given up for it.</summary>
    public bool Add(NodeMoment moment)
    {
        lock (gate)
        {
            waiting.AddLast(moment);
            if (waiting.Count <= most)
                return true;
            waiting.RemoveFirst();
            dropped++;
            return false;
        }
    }

    /// <summary>The oldest, in order; they stay until <see cref="Remove"/>.</summary>
    public IReadOnlyList<NodeMoment> First(int count)
    {
        lock (gate)
            return [.. waiting.Take(count)];
    }

    /// <summary>Takes away what was told; what was given up meanwhile is not there any more.</summary>
    public void Remove(IReadOnlyCollection<NodeMoment> told)
    {
        lock (gate)
            while (waiting.First is { } first && told.Contains(first.Value, ReferenceEqualityComparer.Instance))
                waiting.RemoveFirst();
    }
}
