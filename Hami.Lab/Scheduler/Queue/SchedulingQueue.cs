using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>The pods that wait for a node: ready ones, those in back-off, and those no known change could help.</summary>
/// <remarks>
/// kube-scheduler's three queues with its defaults since 1.34: a refused pod sits its back-off out only while others are ready
/// (<c>SchedulerPopFromBackoffQ</c>); a pod whose try failed with an error sits it out to the end.
/// Heaps keep entries of pods that have moved on; such an entry is dropped when it comes up.
/// </remarks>
internal sealed class SchedulingQueue(TimeProvider time)
{
    public static readonly TimeSpan FirstBackOff = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan LongestBackOff = TimeSpan.FromSeconds(10);

    /// <summary>A refused pod is tried again after this long, whether or not something happened.</summary>
    public static readonly TimeSpan Flush = TimeSpan.FromMinutes(5);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, QueuedPod> _pods = new(StringComparer.Ordinal);
    private readonly HashSet<QueuedPod> _inFlight = [];
    private readonly Dictionary<Happenings, HashSet<QueuedPod>> _parked = [];
    private readonly PriorityQueue<Entry, (int, long)> _ready = new();
    private readonly PriorityQueue<Entry, (long, int, long)> _backOff = new();
    private readonly PriorityQueue<Entry, long> _errors = new();
    private readonly Queue<Entry> _flush = new();
    private long _order;
    private TaskCompletionSource? _waiter;

    private readonly record struct Entry(QueuedPod Pod, long Move)
    {
        public bool IsStale => Pod.Moves != Move;
    }

    /// <summary>All pods that wait or are on their way.</summary>
    public IReadOnlyList<string> Uids()
    {
        lock (_gate)
            return [.. _pods.Keys];
    }

    /// <summary>How long a pod waits after this many failed tries: 1, 2, 4, 8, then 10 seconds.</summary>
    public static TimeSpan BackOff(int attempts)
    {
        if (attempts == 0)
            return TimeSpan.Zero;
        var backOff = FirstBackOff;
        for (var i = 1; i < attempts && backOff < LongestBackOff; i++)
            backOff *= 2;
        return backOff < LongestBackOff ? backOff : LongestBackOff;
    }

    /// <summary>Takes a new pod in, or a newer version of one that waits already; returns whether it is new.</summary>
    public bool Put(V1Pod pod)
    {
        lock (_gate)
        {
            if (!_pods.TryGetValue(pod.Metadata.Uid, out var queued))
            {
                _pods[pod.Metadata.Uid] = queued = new(pod) { Order = ++_order };
                MakeReady(queued);
                return true;
            }
            // A repeated list brings what is known already.
            if (pod.Metadata.ResourceVersion is { } version && version == queued.Record.ResourceVersion)
                return false;
            var wasGated = queued.IsGated;
            var happened = queued.Update(pod);
            if (queued.Standing is Standing.InFlight)
                queued.Missed |= happened;
            else if (queued.Standing is Standing.Gated && wasGated && !queued.IsGated)
                MakeReady(queued);
            else if (queued.Standing is Standing.Parked && (queued.CuredBy & happened) != Happenings.None)
                Wake(queued);
            return false;
        }
    }

    public bool Knows(string uid)
    {
        lock (_gate)
            return _pods.ContainsKey(uid);
    }

    /// <summary>Forgets a pod: it is gone, or it has a node.</summary>
    public void Remove(string uid)
    {
        lock (_gate)
        {
            if (_pods.Remove(uid, out var queued))
                Leave(queued, Standing.Done);
        }
    }

    /// <summary>Something happened in the cluster; the pods it may help are tried again.</summary>
    /// <param name="what">All that happened at once.</param>
    /// <param name="helps">Whether it can help this pod at all; every pod when null.</param>
    public void Happened(Happenings what, Func<QueuedPod, bool>? helps = null)
    {
        if (what is Happenings.None)
            return;
        lock (_gate)
        {
            // A pod in flight was judged before this; it must not be parked afterwards.
            foreach (var queued in _inFlight.Where(p => helps?.Invoke(p) != false))
                queued.Missed |= what;
            foreach (var (_, pods) in _parked.Where(p => (p.Key & what) != Happenings.None).ToList())
            {
                foreach (var queued in pods.Where(p => helps?.Invoke(p) != false).ToList())
                    Wake(queued);
            }
        }
    }

    /// <summary>Gives a refused pod back: it is parked, unless something that may help happened since it was taken.</summary>
    public void Refused(QueuedPod queued, Happenings curedBy)
    {
        lock (_gate)
        {
            if (!IsOurs(queued))
                return;
            queued.CuredBy = curedBy;
            queued.Refusals++;
            queued.ErrorsInARow = 0;
            Renew(queued);
            if ((queued.Missed & curedBy) != Happenings.None)
                Wake(queued);
            else
                Park(queued);
        }
    }

    /// <summary>The pod has a node and its Binding is under way; it stays known in case that fails.</summary>
    public void Binds(QueuedPod queued)
    {
        lock (_gate)
        {
            if (IsOurs(queued))
                Leave(queued, Standing.Binding);
        }
    }

    /// <summary>Gives a pod back whose try failed through no fault of its own: it is tried again after its back-off.</summary>
    public void Failed(QueuedPod queued)
    {
        lock (_gate)
        {
            if (!IsOurs(queued))
                return;
            queued.ErrorsInARow++;
            Renew(queued);
            Leave(queued, Standing.BackOffAfterError);
            _errors.Enqueue(new(queued, queued.Moves), queued.BackOffEnds.UtcTicks);
            Announce();
        }
    }

    /// <summary>The next pod to try; it is in flight until it is removed, refused or failed.</summary>
    public async Task<QueuedPod> Take(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            TimeSpan? rest;
            lock (_gate)
            {
                if (TakeNow(out rest) is { } queued)
                    return queued;
                _waiter ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
                changed = _waiter.Task;
            }
            using var waiting = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            await Task.WhenAny(changed, Task.Delay(rest ?? Timeout.InfiniteTimeSpan, time, waiting.Token));
            await waiting.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private QueuedPod? TakeNow(out TimeSpan? rest)
    {
        var now = time.GetUtcNow();
        while (Due(_flush, now) is { } parked)
            Wake(parked);
        while (Due(_errors, now) is { } failed)
            MakeReady(failed);
        while (Due(_backOff, now) is { } refused)
            MakeReady(refused);

        rest = null;
        var next = Next(_ready) ?? Next(_backOff);
        if (next is null)
        {
            DateTimeOffset? until = Peek(_errors) is { } error ? error.BackOffEnds : null;
            if (_flush.TryPeek(out var oldest) && (until is null || oldest.Pod.FailedAt + Flush < until))
                until = oldest.Pod.FailedAt + Flush;
            rest = until - now;
            return null;
        }
        Leave(next, Standing.InFlight);
        _inFlight.Add(next);
        next.Missed = Happenings.None;
        return next;
    }

    private static QueuedPod? Due(Queue<Entry> flush, DateTimeOffset now)
    {
        while (flush.TryPeek(out var entry))
        {
            if (!entry.IsStale && entry.Pod.FailedAt + Flush > now)
                return null;
            flush.Dequeue();
            if (!entry.IsStale)
                return entry.Pod;
        }
        return null;
    }

    private static QueuedPod? Due<TKey>(PriorityQueue<Entry, TKey> heap, DateTimeOffset now) =>
        Peek(heap) is { } queued && queued.BackOffEnds <= now ? heap.Dequeue().Pod : null;

    private static QueuedPod? Next<TKey>(PriorityQueue<Entry, TKey> heap) => Peek(heap) is null ? null : heap.Dequeue().Pod;

    private static QueuedPod? Peek<TKey>(PriorityQueue<Entry, TKey> heap)
    {
        while (heap.TryPeek(out var entry, out _))
        {
            if (!entry.IsStale)
                return entry.Pod;
            heap.Dequeue();
        }
        return null;
    }

    private void Wake(QueuedPod queued)
    {
        if (queued.BackOffEnds <= time.GetUtcNow())
        {
            MakeReady(queued);
            return;
        }
        Leave(queued, Standing.BackOff);
        _backOff.Enqueue(new(queued, queued.Moves), BackOffKey(queued));
        Announce();
    }

    private void MakeReady(QueuedPod queued)
    {
        Leave(queued, queued.IsGated ? Standing.Gated : Standing.Ready);
        if (queued.IsGated)
            return;
        _ready.Enqueue(new(queued, queued.Moves), (-queued.Record.Priority, queued.Order));
        Announce();
    }

    private void Park(QueuedPod queued)
    {
        Leave(queued, Standing.Parked);
        if (!_parked.TryGetValue(queued.CuredBy, out var pods))
            _parked[queued.CuredBy] = pods = [];
        pods.Add(queued);
        _flush.Enqueue(new(queued, queued.Moves));
        Announce();
    }

    private void Leave(QueuedPod queued, Standing standing)
    {
        if (queued.Standing is Standing.InFlight)
            _inFlight.Remove(queued);
        else if (queued.Standing is Standing.Parked)
            _parked[queued.CuredBy].Remove(queued);
        queued.Standing = standing;
        queued.Moves++;
    }

    // A pod that was removed meanwhile, because it is gone or was seen on its node, does not come back.
    private bool IsOurs(QueuedPod queued) => _pods.TryGetValue(queued.Uid, out var known) && ReferenceEquals(known, queued);

    private void Renew(QueuedPod queued)
    {
        queued.FailedAt = time.GetUtcNow();
        queued.Order = ++_order;
    }

    // Those whose back-off ends in the same second come by priority.
    private static (long, int, long) BackOffKey(QueuedPod queued) =>
        (queued.BackOffEnds.UtcTicks / TimeSpan.TicksPerSecond, -queued.Record.Priority, queued.Order);

    private void Announce()
    {
        _waiter?.TrySetResult();
        _waiter = null;
    }
}
