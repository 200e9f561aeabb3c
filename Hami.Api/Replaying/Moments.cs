using Hami.Api.Access;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Replaying;

namespace Hami.Api.Replaying;

/// <summary>The cluster as of a moment.</summary>
/// <param name="At">The moment asked for, or now.</param>
/// <param name="IsNow">Whether it is now: then what only the live cluster tells is known, too.</param>
/// <param name="Sums">The ledger in numbers.</param>
internal sealed record Moment(DateTimeOffset At, bool IsNow, ClusterSums Sums)
{
    /// <summary>What was true then.</summary>
    public ClusterLedger Ledger => Sums.Ledger;
}

/// <summary>The cluster as of the moment that a question gives, or now.</summary>
public sealed class Moments
{
    private const int MostCounted = 8;

    private readonly ILedgerReader _now;
    private readonly History _history;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private readonly List<ClusterSums> _past = []; // the last used last
    private volatile ClusterSums _live = ClusterSums.Empty;

    internal Moments(ILedgerReader now, History history, TimeProvider time) => (_now, _history, _time) = (now, history, time);

    /// <summary>The cluster as of a moment.</summary>
    /// <param name="field">The question, as the log of looks into history names it.</param>
    /// <param name="at">Null for now, as is what is still to come.</param>
    /// <param name="namespace">The namespace that is asked for; null for all.</param>
    internal async ValueTask<Moment> OfAsync(string field, DateTimeOffset? at, Asker asker, CancellationToken cancellationToken, string? @namespace = null)
    {
        var now = _time.GetUtcNow();
        if (at is not { } then || then >= now)
            return new(at ?? now, IsNow: true, _live = _live.Of(_now.Ledger));
        asker.Note(field, @namespace, then, then);
        return new(then, IsNow: false, Counted(await _history.LedgerAtAsync(then, cancellationToken)));
    }

    /// <summary>Counts a state of the past once while it is asked for, from the one nearest to it: they have most nodes in common.</summary>
    private ClusterSums Counted(ClusterLedger ledger)
    {
        ClusterSums nearest = _live;
        lock (_gate)
        {
            foreach (var sums in _past)
            {
                if (Math.Abs(sums.Ledger.Position - ledger.Position) < Math.Abs(nearest.Ledger.Position - ledger.Position))
                    nearest = sums;
            }
        }
        var counted = nearest.Of(ledger);
        lock (_gate)
        {
            _past.RemoveAll(s => s.Ledger.Position == ledger.Position);
            if (_past.Count == MostCounted)
                _past.RemoveAt(0);
            _past.Add(counted);
        }
        return counted;
    }
}
