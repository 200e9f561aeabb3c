using Hami.Domain.Ledger;

namespace Hami.Api.Replaying;

/// <summary>The states of the past that were asked for last: a page asks several times for one moment, and a replay steps on from the one before.</summary>
/// <param name="log">Counts the logs that were followed: what was kept of another one is of no use.</param>
internal sealed class RecentLedgers(Func<int> log)
{
    private const int MostLedgers = 8; // one alone may be tens of MiB; those of one replay have most in common
    private const int MostMoments = 64;

    private readonly Lock _gate = new();
    private readonly List<ClusterLedger> _ledgers = []; // the last used last
    private readonly Dictionary<DateTimeOffset, long> _positions = [];
    private int _log = log();

    /// <summary>Number of the log that is followed: to be asked before it is read, and given with what was read.</summary>
    public int Log => log();

    /// <summary>The state at a position; null when it is not kept.</summary>
    public ClusterLedger? Find(long position) => Last(l => l.Position == position);

    /// <summary>The latest state that is kept up to a position; null when none is.</summary>
    public ClusterLedger? Nearest(long position)
    {
        ClusterLedger? nearest = null;
        lock (_gate)
        {
            ForgetAnotherLog();
            foreach (var ledger in _ledgers)
                nearest = ledger.Position <= position && !(ledger.Position < nearest?.Position) ? ledger : nearest;
        }
        return nearest;
    }

    /// <summary>Keeps a state in place of the one that was not asked for longest.</summary>
    public void Keep(ClusterLedger ledger, int ofLog)
    {
        lock (_gate)
        {
            ForgetAnotherLog();
            if (ofLog != _log || _ledgers.Exists(l => l.Position == ledger.Position))
                return;
            if (_ledgers.Count == MostLedgers)
                _ledgers.RemoveAt(0);
            _ledgers.Add(ledger);
        }
    }

    /// <summary>Forgets states before a position: what follows them is not all in the database any more.</summary>
    public void ForgetBefore(long position)
    {
        lock (_gate)
            _ledgers.RemoveAll(l => l.Position < position);
    }

    /// <summary>The position of a moment; null when it is not known.</summary>
    public long? PositionOf(DateTimeOffset at)
    {
        lock (_gate)
        {
            ForgetAnotherLog();
            return _positions.TryGetValue(at, out var position) ? position : null;
        }
    }

    /// <summary>Keeps the position of a moment that nothing can come before any more.</summary>
    public void Settle(DateTimeOffset at, long position, int ofLog)
    {
        lock (_gate)
        {
            ForgetAnotherLog();
            if (_positions.Count == MostMoments)
                _positions.Clear();
            if (ofLog == _log)
                _positions[at] = position;
        }
    }

    private ClusterLedger? Last(Predicate<ClusterLedger> which)
    {
        lock (_gate)
        {
            ForgetAnotherLog();
            if (_ledgers.FindLastIndex(which) is not (>= 0 and var at))
                return null;
            var ledger = _ledgers[at];
            _ledgers.RemoveAt(at);
            _ledgers.Add(ledger);
            return ledger;
        }
    }

    private void ForgetAnotherLog()
    {
        if (log() is var now && now == _log)
            return;
        _log = now;
        _ledgers.Clear();
        _positions.Clear();
    }
}
