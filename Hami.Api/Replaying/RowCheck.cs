using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Replaying;

namespace Hami.Api.Replaying;

/// <summary>Looks at the rows of the log one after another: how they are chained, what they hold, and whether it may follow what was before.</summary>
/// <param name="start">The place before the first row that is given.</param>
/// <param name="ledger">What was true there; null when that is not known, so that nothing can be folded.</param>
internal sealed class RowCheck(StoredEvents events, LogPlace start, ClusterLedger? ledger)
{
    private readonly LogCheck? _log = ledger is null ? null : new(ledger);
    private readonly List<Finding> _others = [];

    public ChainCheck Chain { get; } = new(start);

    /// <summary>The state after the last row; null when that is not known.</summary>
    public ClusterLedger? Ledger => _log?.Ledger;

    public long Redecided => _log?.Redecided ?? 0;

    public long NotRedecided => _log?.NotRedecided ?? 0;

    /// <summary>What must not be so.</summary>
    public IReadOnlyList<Finding> Findings => [.. Chain.Findings, .. _others, .. _log?.Findings ?? []];

    public bool IsIntact => Chain.Findings.Count == 0 && _others.Count == 0 && _log?.Findings is null or [];

    /// <summary>The event of the next row; null when it cannot be read.</summary>
    public Recorded? Next(LogRow row)
    {
        var previous = Chain.Last.Hash;
        Chain.Next(row);
        try
        {
            var e = events.Read(row);
            _log?.Next(e);
            if (row.AllocationId != AllocationIds.Of(e.Event)?.ToString())
                _others.Add(new(row.Position, row.Stream, $"the allocation beside its body is {row.AllocationId ?? "missing"}, not that of the body"));
            if (e.Event is NodeEvent.NodeCarriedForward carried && carried.PreviousHash != previous)
                _others.Add(new(row.Position, row.Stream, "it does not carry the hash of the row before it"));
            return e;
        }
        catch (UnreadableEventException e)
        {
            _others.Add(new(row.Position, row.Stream, $"it cannot be read: {e.Why}"));
            return null;
        }
    }

    /// <summary>No row follows.</summary>
    public void End() => _log?.End();
}
