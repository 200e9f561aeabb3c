using Hami.Api.Plumbing;
using Hami.Domain.Ledger;

namespace Hami.Api.Asking;

/// <summary>How far the log is, and how far the read models have followed it.</summary>
/// <param name="Log">Counts the logs that were begun.</param>
/// <param name="Position">Position of the last commit.</param>
/// <param name="At">When that was; null for what this process has not seen itself.</param>
/// <param name="ReadTo">Up to where the read models were when they were last looked at.</param>
internal readonly record struct News(int Log, long Position, DateTimeOffset? At, long ReadTo)
{
    public bool IsListed => ReadTo >= Position;
}

/// <summary>The newest of the cluster, for those who need no more than that: they look when they like, and never hold up the journal.</summary>
internal sealed class ClusterNews : ILogFollower
{
    private readonly Lock _gate = new();
    private News _now;
    private TaskCompletionSource? _changes;
    private int _readers;

    /// <summary>Whether somebody waits for the read models to follow.</summary>
    public bool IsListAwaited
    {
        get
        {
            lock (_gate)
                return _readers > 0 && !_now.IsListed;
        }
    }

    public News Now
    {
        get
        {
            lock (_gate)
                return _now;
        }
    }

    /// <summary>What is known now, and what ends when that changes.</summary>
    public (News Now, Task Changes) Look()
    {
        lock (_gate)
            return (_now, (_changes ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task);
    }

    /// <summary>Counts somebody who is told, until disposed of.</summary>
    /// <exception cref="GraphQL.ExecutionError">UNAVAILABLE: there are too many.</exception>
    public IDisposable Join()
    {
        lock (_gate)
        {
            if (_readers >= Limits.Subscriptions)
                throw ChangeFeed.TooMany();
            _readers++;
        }
        return new Reader(this);
    }

    /// <inheritdoc />
    public void Began(ClusterLedger from) => Become(now => new(now.Log + 1, from.Position, null, 0));

    /// <inheritdoc />
    public void Committed(ClusterLedger after, IReadOnlyList<Recorded> recorded) => Become(now => now with { Position = after.Position, At = recorded[^1].At });

    /// <summary>The read models have followed the log up to there.</summary>
    public void Followed(long position) => Become(now => now with { ReadTo = position });

    private void Become(Func<News, News> next)
    {
        lock (_gate)
        {
            var before = _now;
            _now = next(before);
            if (_now == before)
                return;
            _changes?.TrySetResult();
            _changes = null;
        }
    }

    private sealed class Reader(ClusterNews of) : IDisposable
    {
        public void Dispose()
        {
            lock (of._gate)
                of._readers--;
        }
    }
}
