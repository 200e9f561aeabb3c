using System.Runtime.CompilerServices;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Replaying;
using Npgsql;

namespace Hami.Api.Replaying;

/// <summary>Where a replay may begin instead of at the first event.</summary>
internal interface IKnownStates
{
    /// <summary>The state at the highest position not after that one which is kept; <see cref="ClusterLedger.Empty"/> when none is.</summary>
    ValueTask<ClusterLedger> NearestAsync(long position, CancellationToken cancellationToken);
}

/// <summary>The cluster at any position of the log, read from the database.</summary>
/// <param name="recent">Where what was found is kept; null keeps it for this object alone.</param>
internal sealed class LedgerHistory(NpgsqlDataSource database, StoredEvents events, IKnownStates known, RecentLedgers? recent = null)
{
    private readonly RecentLedgers _recent = recent ?? new(() => 0);

    /// <summary>The highest position whose time is not after that; 0 when there is none.</summary>
    /// <exception cref="ArchivedHistoryException">What was then was archived.</exception>
    public async Task<long> PositionAtAsync(DateTimeOffset at, CancellationToken cancellationToken)
    {
        await Horizon.MustHaveAsync(database, at, cancellationToken);
        if (_recent.PositionOf(at) is { } known)
            return known;
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var (log, last) = (_recent.Log, await LogRows.LastAsync(connection, cancellationToken));
        var position = await LogRows.PositionAtAsync(connection, at, cancellationToken);
        // Once something later has happened nothing more comes before it.
        if (position < last)
            _recent.Settle(at, position, log);
        return position;
    }

    /// <summary>The state with everything up to a position folded.</summary>
    public async Task<ClusterLedger> AtAsync(long position, CancellationToken cancellationToken)
    {
        while (true)
        {
            var (log, start) = (_recent.Log, await known.NearestAsync(position, cancellationToken));
            var ledger = start;
            if (start.Position < position)
            {
                await foreach (var e in ReadAsync(start.Position, position, cancellationToken))
                    ledger = Replay.Next(ledger, e);
            }
            // Looked at last: what is archived meanwhile may have been missing.
            var horizon = await HorizonAsync(cancellationToken);
            if (position < horizon?.Position)
                throw horizon.Before($"Event {position}");
            if (start.Position >= (horizon?.Position ?? 0))
            {
                _recent.Keep(ledger, log);
                return ledger;
            }
            _recent.ForgetBefore(horizon!.Position);
        }
    }

    /// <summary>The state at a position if it was asked for lately; else null.</summary>
    public ClusterLedger? Kept(long position) => _recent.Find(position);

    /// <summary>Where the log begins; null when it has everything.</summary>
    public Task<Horizon?> HorizonAsync(CancellationToken cancellationToken) => Horizon.ReadAsync(database, cancellationToken);

    /// <summary>What happened after one position, up to another.</summary>
    public async IAsyncEnumerable<Recorded> ReadAsync(
        long after, long upTo, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await foreach (var row in LogRows.ReadAsync(connection, after, upTo, cancellationToken))
            yield return events.Read(row);
    }

    /// <summary>Explains a pod given by its UID or as <c>namespace/name</c>, as of a position; null when the log does not know it.</summary>
    public async Task<PodExplanation?> ExplainAsync(string pod, long position, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        var indexed = await LogRows.IndexedToAsync(connection, cancellationToken);
        var uid = pod.Split('/') is [var @namespace, var name]
            ? await LogRows.PodUidAsync(connection, @namespace, name, position, indexed, cancellationToken)
            : pod;
        if (uid is null)
            return null;
        var about = new List<Recorded>();
        var kept = (await Horizon.ReadAsync(connection, cancellationToken))?.Position ?? 0;
        await foreach (var row in LogRows.AboutPodAsync(connection, uid, position, indexed, kept, cancellationToken))
            about.Add(events.Read(row));
        var explained = ExplainPod.Of(uid, about, position);
        // Only one that waits is tried on the cluster; of others their own events tell all.
        return explained is { Standing: PodStanding.Waiting } ? ExplainPod.Tried(explained, await AtAsync(position, cancellationToken)) : explained;
    }

    /// <summary>Who held a card in a time.</summary>
    /// <param name="from">Null for the begin of the log.</param>
    /// <exception cref="ArchivedHistoryException">The time begins before the log does.</exception>
    public async Task<IReadOnlyList<CardHolding>> WhoHeldAsync(string deviceUuid, DateTimeOffset? from, DateTimeOffset to, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        if (await Horizon.ReadAsync(connection, cancellationToken) is { } horizon)
            from = from is not { } begin ? horizon.At : begin >= horizon.At ? begin : throw horizon.Before($"{begin.UtcDateTime:yyyy-MM-dd HH:mm:ss'Z'}");
        var about = new List<Recorded>();
        var indexed = await LogRows.IndexedToAsync(connection, cancellationToken);
        await foreach (var row in LogRows.AboutCardAsync(connection, deviceUuid, from ?? DateTimeOffset.MinValue, to, indexed, cancellationToken))
            about.Add(events.Read(row));
        return WhoHeld.Of(about, deviceUuid, from ?? DateTimeOffset.MinValue, to);
    }

    /// <summary>The events of a time: those after the first of these positions, up to the second.</summary>
    public async Task<(long After, long UpTo)> BetweenAsync(DateTimeOffset from, DateTimeOffset to, CancellationToken cancellationToken) =>
        (await PositionAtAsync(from, cancellationToken), await PositionAtAsync(to, cancellationToken));

    /// <summary>Runs the arrivals of a time again under another policy.</summary>
    /// <param name="events">As <see cref="BetweenAsync"/> found them.</param>
    public async Task<WhatIfReport> WhatIfAsync(
        PlacementPolicy policy, DateTimeOffset from, DateTimeOffset to, (long After, long UpTo) events, CancellationToken cancellationToken)
    {
        var start = await AtAsync(events.After, cancellationToken);
        var log = new List<Recorded>();
        await foreach (var e in ReadAsync(events.After, events.UpTo, cancellationToken))
            log.Add(e);
        return WhatIf.Of(start, log, policy, from, to);
    }
}
