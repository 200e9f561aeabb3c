using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Replaying;

namespace Hami.Api.Replaying;

/// <summary>Looks whether every row of the log follows, by its hash and its number in its stream, from those before it.</summary>
/// <param name="start">The place before the first row that is given.</param>
internal sealed class ChainCheck(LogPlace start)
{
    // How far back it is looked for the row that another one really follows.
    private const int Remembered = 64;

    private readonly bool _isWhole = start == LogPlace.Beginning;
    private readonly List<Finding> _findings = [];
    private readonly Dictionary<string, long> _versions = new(StringComparer.Ordinal);
    private readonly HashSet<string> _mayBeginAgain = new(StringComparer.Ordinal);
    private readonly Queue<LogPlace> _before = new([start]);

    public IReadOnlyList<Finding> Findings => _findings;

    /// <summary>The last event of each stream, by its number there.</summary>
    public IReadOnlyDictionary<string, long> Versions => _versions;

    /// <summary>Where the last row is.</summary>
    public LogPlace Last { get; private set; } = start;

    /// <summary>The rows given so far were archived: numbers of pods' streams that had ended may have been forgotten, so that they begin again.</summary>
    public void PassedHorizon() => _mayBeginAgain.UnionWith(_versions.Keys.Where(Streams.IsOfPod));

    public void Next(LogRow row)
    {
        var expected = row.HashAfter(Last.Hash);
        var place = WhereItStands(row);
        if (row.Hash is null)
            Found(row, "its hash is missing");
        else if (row.Hash != expected)
            Found(row, $"{WhyNot(row)}{place}");
        else if (place.Length > 0)
            Found(row, $"its hash follows, yet{place[1..]}");
        if (row.IsArchived)
            Found(row, "it is marked as archived, which hides it from processes that start");

        Last = new(row.Position, row.Hash ?? expected);
        _versions[row.Stream] = row.Version;
        if (_before.Count == Remembered)
            _before.Dequeue();
        _before.Enqueue(Last);
    }

    private string WhyNot(LogRow row)
    {
        foreach (var (position, hash) in _before.Reverse().Skip(1))
        {
            if (row.HashAfter(hash) == row.Hash)
                return $"by its hash it follows {(position == 0 ? "nothing" : $"row {position}")}: the rows between were inserted there, or the rows were put into another order";
        }
        return "its hash does not follow from its content and the row before it: it was changed or inserted or put into another place, or the rows before it were removed";
    }

    /// <summary>What its number in its stream, and its position, say beside the hash; empty for nothing.</summary>
    private string WhereItStands(LogRow row)
    {
        // Of a log that does not begin with its first event, the first of a stream that is seen may be any.
        if (!_versions.TryGetValue(row.Stream, out var before) && !_isWhole)
            return "";
        if (_mayBeginAgain.Remove(row.Stream) && row.Version == 1)
            return "";
        return row.Version == before + 1 ? ""
            : row.Version > before + 1 ? $"; its stream lacks {(row.Version == before + 2 ? $"event {before + 1}" : $"events {before + 1} to {row.Version - 1}")} before it"
            : $"; it is event {row.Version} of its stream, but stands after event {before}";
    }

    private void Found(LogRow row, string what) => _findings.Add(new(row.Position, row.Stream, what));
}
