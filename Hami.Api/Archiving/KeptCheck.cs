using Hami.Api.Plumbing;
using Hami.Api.Replaying;
using Hami.Domain.Ledger;
using Hami.Domain.Replaying;

namespace Hami.Api.Archiving;

/// <summary>Compares the rows that were kept of archived history with their twins in the files.</summary>
internal sealed class KeptCheck
{
    private readonly SortedDictionary<long, StoredRow> _stored = [];
    private readonly HashSet<long> _archived = [];
    private readonly KeptRows _expected = new();
    private readonly List<Finding> _findings = [];
    private IReadOnlyList<long> _kept = [];

    /// <summary>How many there are.</summary>
    public long Count { get; private set; }

    /// <summary>The row that what follows is chained to; null when it is missing.</summary>
    public LogRow? AnchorRow { get; private set; }

    /// <summary>A row that the database has.</summary>
    public void Stored(StoredRow row)
    {
        Count++;
        _stored[row.Log.Position] = row;
    }

    /// <summary>Looks whether the row is there that what follows is chained to.</summary>
    public IEnumerable<Finding> Anchor(Horizon horizon)
    {
        AnchorRow = _stored.GetValueOrDefault(horizon.Position)?.Log;
        if (AnchorRow is null)
            yield return new(horizon.Position, null, "the row at the horizon, which what follows is chained to, is missing");
        else if (AnchorRow.Hash != horizon.Hash)
            yield return new(horizon.Position, AnchorRow.Stream, "the row at the horizon has another hash than what was archived ended with");
    }

    /// <summary>A row that the files have.</summary>
    public void Archived(StoredRow row, Recorded? e)
    {
        if (e is not null)
            _expected.Next(e);
        if (!_stored.TryGetValue(row.Log.Position, out var stored))
            return;
        _archived.Add(row.Log.Position);
        if (stored != row)
            _findings.Add(new(row.Log.Position, stored.Log.Stream, "the row that was kept in the database is another than the one in the archive"));
    }

    /// <summary>A file ends here.</summary>
    /// <param name="horizon">The state there.</param>
    public void Ended(ClusterLedger horizon) => _kept = _expected.Cut(horizon);

    /// <summary>What is wrong, once all files are read.</summary>
    public IReadOnlyList<Finding> Compare()
    {
        _findings.AddRange(_stored.Values.Where(r => !_archived.Contains(r.Log.Position))
            .Select(r => new Finding(r.Log.Position, r.Log.Stream, "the row is before the horizon, and the archive does not have it: it was inserted")));
        _findings.AddRange(_kept.Where(p => !_stored.ContainsKey(p))
            .Select(p => new Finding(p, null, "the row tells of a pod that held cards or waited at the horizon, so it was kept in the database; it is not there any more")));
        return _findings;
    }
}
