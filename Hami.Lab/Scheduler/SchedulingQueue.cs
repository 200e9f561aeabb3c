using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>The pods that wait for a node: ready ones, those in back-off, and those no known change could help.</summary>
/// <remarks>
/// kube-scheduler's three queues. A refused pod that was woken may leave its back-off early when nothing else is ready
/// (recorded: "tried again at once"); a pod whose try failed with an error sits its whole back-off out.
/// </remarks>
internal sealed class SchedulingQueue(TimeProvider time)
{
    public static readonly TimeSpan FirstBackOff = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan LongestBackOff = TimeSpan.FromSeconds(10);

    /// <summary>An unschedulable pod is tried again after this long, whether or not something happened.</summary>
    public static readonly TimeSpan Flush = TimeSpan.FromMinutes(5);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Waiting> _pods = new(StringComparer.Ordinal);
    private long _order;
    private long _wakes;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private enum Place
    {
        Ready,
        WokenInBackOff,
        ErrorInBackOff,
        Unschedulable,
        InFlight,
    }

    private sealed class Waiting(V1Pod pod)
    {
        public V1Pod Pod { get; set; } = pod;
        public Place Place { get; set; }
        public long Order { get; set; }
        public int Attempts { get; set; }
        public DateTimeOffset FailedAt { get; set; }
        public long WakesSeen { get; set; }
        public bool OwnChange { get; set; }

        public DateTimeOffset BackOffEnds => FailedAt + BackOff(Attempts);
    }

    /// <summary>How long a pod waits after this many failed tries: 1, 2, 4, 8, then 10 seconds.</summary>
    public static TimeSpan BackOff(int attempts)
    {
        var backOff = FirstBackOff;
        for (var i = 1; i < attempts && backOff < LongestBackOff; i++)
            backOff *= 2;
        return backOff < LongestBackOff ? backOff : LongestBackOff;
    }

    /// <summary>Takes a new pod in, or a newer version of one that waits already; <paramref name="helps"/> when the change may make it fit.</summary>
    public void Put(V1Pod pod, bool helps)
    {
        lock (_gate)
        {
            if (!_pods.TryGetValue(pod.Uid(), out var waiting))
            {
                _pods[pod.Uid()] = waiting = new(pod);
                Move(waiting, Place.Ready);
                return;
            }
            waiting.Pod = pod;
            if (!helps)
                return;
            if (waiting.Place is Place.Unschedulable)
                Wake(waiting);
            else if (waiting.Place is Place.InFlight)
                waiting.OwnChange = true;
        }
    }

    /// <summary>Forgets a pod: it is gone, or it has a node.</summary>
    public void Remove(string uid)
    {
        lock (_gate)
            _pods.Remove(uid);
    }

    /// <summary>Something happened in the cluster that may make room: no pod stays unschedulable.</summary>
    public void WakeAll()
    {
        lock (_gate)
        {
            // A pod in flight was judged before this; it must not be parked afterwards.
            _wakes++;
            foreach (var waiting in _pods.Values.Where(p => p.Place is Place.Unschedulable).OrderBy(p => p.Order).ToList())
                Wake(waiting);
        }
    }

    /// <summary>Gives a refused pod back: it is parked, unless something happened since it was taken.</summary>
    public void Refused(string uid) => GiveBack(uid, waiting =>
    {
        var missed = waiting.WakesSeen != _wakes || waiting.OwnChange;
        Move(waiting, missed ? Place.WokenInBackOff : Place.Unschedulable);
    });

    /// <summary>Gives a pod back whose try failed through no fault of its own: it is tried again after its back-off.</summary>
    public void Failed(string uid) => GiveBack(uid, waiting => Move(waiting, Place.ErrorInBackOff));

    /// <summary>The next pod to try; it is in flight until it is removed, refused or failed.</summary>
    public async Task<V1Pod> Take(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            TimeSpan? rest;
            lock (_gate)
            {
                if (TakeNow(out rest) is { } pod)
                    return pod;
                changed = _changed.Task;
            }
            using var waiting = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var pause = rest is { } r ? Task.Delay(r, time, waiting.Token) : Task.Delay(Timeout.InfiniteTimeSpan, time, waiting.Token);
            await Task.WhenAny(changed, pause);
            await waiting.CancelAsync();
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private V1Pod? TakeNow(out TimeSpan? rest)
    {
        var now = time.GetUtcNow();
        foreach (var waiting in _pods.Values)
        {
            var due = waiting.Place is Place.WokenInBackOff or Place.ErrorInBackOff && waiting.BackOffEnds <= now;
            if (due || (waiting.Place is Place.Unschedulable && waiting.FailedAt + Flush <= now))
                Move(waiting, Place.Ready);
        }

        var next = First(Place.Ready) ?? First(Place.WokenInBackOff);
        if (next is null)
        {
            var until = _pods.Values
                .Where(p => p.Place is Place.ErrorInBackOff or Place.Unschedulable)
                .Select(p => p.Place is Place.Unschedulable ? p.FailedAt + Flush : p.BackOffEnds)
                .DefaultIfEmpty(DateTimeOffset.MaxValue)
                .Min();
            rest = until == DateTimeOffset.MaxValue ? null : until - now;
            return null;
        }
        rest = null;
        next.Place = Place.InFlight;
        next.Attempts++;
        next.WakesSeen = _wakes;
        next.OwnChange = false;
        return next.Pod;
    }

    private Waiting? First(Place place) => _pods.Values.Where(p => p.Place == place).MinBy(p => p.Order);

    private void GiveBack(string uid, Action<Waiting> move)
    {
        lock (_gate)
        {
            if (!_pods.TryGetValue(uid, out var waiting) || waiting.Place is not Place.InFlight)
                return;
            waiting.FailedAt = time.GetUtcNow();
            move(waiting);
        }
    }

    private void Wake(Waiting waiting) =>
        Move(waiting, waiting.BackOffEnds <= time.GetUtcNow() ? Place.Ready : Place.WokenInBackOff);

    private void Move(Waiting waiting, Place place)
    {
        waiting.Place = place;
        waiting.Order = ++_order;
        _changed.TrySetResult();
        _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
