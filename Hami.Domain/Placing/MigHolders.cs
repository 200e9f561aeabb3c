using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>Whose shares the slices of a node's MIG cards are made of; looked through only where some are held twice.</summary>
/// <param name="overlap">True when somebody's slices were somebody else's too.</param>
internal sealed class MigHolders(IEnumerable<Allocation> allocations, bool overlap)
{
    private Change? _last;

    /// <summary>True when a slice is, or was, held twice, so that it cannot be given back by its bit.</summary>
    public bool Overlap { get; private init; } = overlap;

    public MigHolders With(IReadOnlyList<Share> shares, bool overlap) => Changed(new(shares, Comes: true, _last), Overlap || overlap);

    public MigHolders Without(IReadOnlyList<Share> shares) => Changed(new(shares, Comes: false, _last), Overlap);

    /// <summary>The shares of everybody who is still there.</summary>
    public List<IReadOnlyList<Share>> Remaining()
    {
        List<IReadOnlyList<Share>> all = [.. allocations.Select(a => a.Held)];
        var changes = new Stack<Change>();
        for (var change = _last; change is not null; change = change.Before)
            changes.Push(change);
        foreach (var change in changes)
        {
            if (change.Comes)
                all.Add(change.Shares);
            else if (all.FindIndex(s => s.SequenceEqual(change.Shares)) is >= 0 and var at)
                all.RemoveAt(at);
        }
        return all;
    }

    private MigHolders Changed(Change last, bool nowOverlap) => new(allocations, nowOverlap) { _last = last };

    /// <summary>A pod that came or went since the ledger was read.</summary>
    private sealed record Change(IReadOnlyList<Share> Shares, bool Comes, Change? Before);
}
