namespace Hami.Lab.ApiServer;

/// <summary>Some changes in order, ready to be read without the store's lock.</summary>
internal readonly record struct Stretch(Change[] Changes, int From, int To)
{
    public int Length => To - From;

    public ReadOnlySpan<Change> Span => Changes.AsSpan(From, Length);
}

/// <summary>Changes in order of their revisions. Used under the store's lock; a stretch of it may be read outside.</summary>
/// <remarks>An array is only ever appended to, and replaced when it is full or forgets: whoever holds it reads on undisturbed.</remarks>
internal sealed class ChangeList(int room)
{
    private Change[] _changes = new Change[room];

    public int Count { get; private set; }

    public Change this[int index] => _changes[index];

    public void Add(Change change)
    {
        if (Count == _changes.Length)
            Array.Resize(ref _changes, 2 * Count);
        _changes[Count++] = change;
    }

    public Stretch Since(long revision) => new(_changes, FirstAfter(revision), Count);

    public void ForgetUpTo(long revision)
    {
        var kept = Since(revision).Span;
        var changes = new Change[Math.Max(room, kept.Length)];
        kept.CopyTo(changes);
        (_changes, Count) = (changes, kept.Length);
    }

    private int FirstAfter(long revision)
    {
        var (low, high) = (0, Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_changes[middle].Revision <= revision)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
}
