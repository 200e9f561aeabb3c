using System.Collections.Concurrent;
using Hami.Domain.Placing;

namespace Hami.Api.Placing;

/// <summary>A pod that was refused and still waits.</summary>
/// <param name="Came">When it was first refused, counted in refusals.</param>
/// <param name="Position">Log position of what it was last refused, or woken, on.</param>
/// <param name="Tick">The same, counted in what is gained without an event.</param>
/// <param name="Woken">When it was woken since its last refusal; null when it was not.</param>
internal sealed record WaitingAsk(PodAsk Ask, long Came, long Position, long Tick, DateTimeOffset? Woken = null)
{
    /// <summary>True when something was gained that the pod has not been tried on.</summary>
    public bool HasNotSeen(long position, long tick) => Woken is null && (Position < position || Tick < tick);
}

/// <summary>Pods that were refused and still wait; memory only.</summary>
internal sealed class WaitingPods
{
    private readonly ConcurrentDictionary<string, WaitingAsk> _pods = new(StringComparer.Ordinal);
    private long _came;
    private long _ticks;

    /// <summary>Told of each refusal: which pod, and whether it had been woken for the try.</summary>
    public event Action<string, bool>? OnRefused;

    /// <summary>How often something was gained that no event tells of, such as a reservation that ended.</summary>
    public long Ticks => Interlocked.Read(ref _ticks);

    public void Gained() => Interlocked.Increment(ref _ticks);

    public void Refused(PodAsk ask, long position)
    {
        var now = new WaitingAsk(ask, Interlocked.Increment(ref _came), position, Ticks);
        var wasWoken = false;
        _pods.AddOrUpdate(ask.Uid, now, (_, before) =>
        {
            wasWoken = before.Woken is not null;
            return now with { Came = before.Came };
        });
        OnRefused?.Invoke(ask.Uid, wasWoken);
    }

    /// <summary>A pod that the log says was refused.</summary>
    public void Remember(PodAsk ask, long position) =>
        _pods.TryAdd(ask.Uid, new(ask, Interlocked.Increment(ref _came), position, Ticks));

    public void Forget(string podUid) => _pods.TryRemove(podUid, out _);

    /// <summary>All of them, the first come first.</summary>
    public IReadOnlyList<WaitingAsk> All() => [.. _pods.Values.OrderBy(p => p.Came)];

    /// <summary>Changes a pod's state unless it was refused or forgotten meanwhile.</summary>
    public void Change(WaitingAsk before, WaitingAsk after) => _pods.TryUpdate(before.Ask.Uid, after, before);

    /// <summary>The pod as it waits now; null when it does not.</summary>
    public WaitingAsk? Find(string podUid) => _pods.GetValueOrDefault(podUid);
}
