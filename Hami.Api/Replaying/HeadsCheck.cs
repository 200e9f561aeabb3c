using Hami.Domain.Replaying;

namespace Hami.Api.Replaying;

/// <summary>Looks whether the log still has every head that was exported from it.</summary>
internal sealed class HeadsCheck
{
    private readonly List<Finding> _findings = [];
    private readonly Queue<ExportedHead> _heads;
    private long _intact;
    private bool _isBroken;

    /// <summary>Takes the heads whose signatures hold.</summary>
    /// <param name="heads">In the order of the file; null for a line that is none.</param>
    /// <param name="keys">Null to believe heads without their signature.</param>
    /// <param name="from">First position that will be given; heads before it are not compared.</param>
    public HeadsCheck(IReadOnlyList<ExportedHead?> heads, HeadKeys? keys, long from = 0)
    {
        var believed = new List<ExportedHead>();
        for (var i = 0; i < heads.Count; i++)
        {
            if (heads[i] is not { } head)
                _findings.Add(new(null, null, $"line {i + 1} of the heads file is no exported head"));
            else if (keys?.WhyNot(head) is { } why)
                _findings.Add(new(head.Position, null, $"the head in line {i + 1} of the heads file is not believed: {why}"));
            else if (head.Position < from)
                NotCompared++;
            else
                believed.Add(head);
        }
        _intact = Math.Max(from - 1, 0);
        Last = believed.Count == 0 ? null : believed.MaxBy(h => h.Position);
        Count = believed.Count;
        _heads = new(believed.OrderBy(h => h.Position).ThenBy(h => h.Hash, StringComparer.Ordinal));
    }

    /// <summary>Heads that are believed and compared.</summary>
    public int Count { get; }

    /// <summary>Heads of rows that are not there any more.</summary>
    public int NotCompared { get; }

    /// <summary>The furthest of those compared; null for none.</summary>
    public ExportedHead? Last { get; }

    public IReadOnlyList<Finding> Findings => _findings;

    public void Next(LogRow row)
    {
        while (_heads.TryPeek(out var missing) && missing.Position < row.Position)
        {
            _heads.Dequeue();
            Found(missing, $"row {missing.Position}, where the log ended at {missing.At:O}, is not there any more");
        }
        while (_heads.TryPeek(out var head) && head.Position == row.Position)
        {
            _heads.Dequeue();
            if (head.Hash != row.Hash || head.At != row.At)
                Found(head, $"the log was rewritten between rows {_intact + 1} and {head.Position}: the head exported there had another {(head.Hash != row.Hash ? "hash" : "time")}");
            else if (!_isBroken)
                _intact = head.Position;
        }
    }

    /// <summary>The log ends at that position.</summary>
    public void End(long position)
    {
        foreach (var head in _heads)
            Found(head, $"the log was cut off: it ends at row {position}, but had reached row {head.Position} at {head.At:O}");
    }

    private void Found(ExportedHead head, string what)
    {
        _isBroken = true;
        _findings.Add(new(head.Position, null, what));
    }
}
