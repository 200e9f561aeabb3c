namespace Hami.Api.Plumbing.Telling;

/// <summary>One thing said about one pod, and how often.</summary>
internal sealed class Told(PodReference pod, PodEventText text, DateTimeOffset first)
{
    public PodReference Pod { get; } = pod;

    public PodEventText Text { get; } = text;

    public DateTimeOffset First { get; } = first;

    public DateTimeOffset Last { get; set; } = first;

    public int Count { get; set; } = 1;

    /// <summary>Name of the Event that says it; null while there is none.</summary>
    public string? Name { get; set; }

    /// <summary>When the API server last heard of it.</summary>
    public DateTimeOffset SentAt { get; set; }
}

/// <summary>
/// Remembers what was said about which pod lately, so that the same is counted instead of said anew, and so that one pod
/// cannot keep everybody else's events waiting. Used by one thread.
/// </summary>
internal sealed class PodEventBook(TimeProvider time)
{
    private const int MostAtOnce = 25;
    private const int MostTexts = 16;
    private static readonly TimeSpan OneMoreEvery = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Remembered = TimeSpan.FromMinutes(30);

    private readonly Dictionary<string, Page> _pages = new(StringComparer.Ordinal);
    private DateTimeOffset _nextCleaning;

    /// <summary>Whether anything may be said about a pod now; what is put into words at some cost asks first.</summary>
    public bool HasRoom(string podUid) => !_pages.TryGetValue(podUid, out var page) || Refilled(page) > 0;

    /// <summary>Takes down what is to be said about a pod: anew, or once more.</summary>
    public Told Count(PodReference pod, PodEventText text)
    {
        Clean();
        var now = time.GetUtcNow();
        if (!_pages.TryGetValue(pod.Uid, out var page))
            _pages[pod.Uid] = page = new() { Room = MostAtOnce, FilledAt = now };
        page.UsedAt = now;
        var told = page.Texts.Find(t => t.Text == text);
        if (told is not null)
        {
            told.Count++;
            told.Last = now;
        }
        else
        {
            told = new(pod, text, now);
            page.Texts.Add(told);
            if (page.Texts.Count > MostTexts)
                page.Texts.RemoveAt(0);
        }
        return told;
    }

    /// <summary>Uses up one of the few times that one pod may be spoken of.</summary>
    /// <returns>False when there was none left: what is not said now is counted, and comes with a later one.</returns>
    public bool TryTakeRoom(string podUid)
    {
        if (!_pages.TryGetValue(podUid, out var page) || Refilled(page) <= 0)
            return false;
        page.Room--;
        return true;
    }

    private int Refilled(Page page)
    {
        var more = (int)((time.GetUtcNow() - page.FilledAt) / OneMoreEvery);
        if (more > 0)
        {
            page.Room = Math.Min(page.Room + more, MostAtOnce);
            page.FilledAt += more * OneMoreEvery;
        }
        return page.Room;
    }

    private void Clean()
    {
        var now = time.GetUtcNow();
        if (now < _nextCleaning)
            return;
        _nextCleaning = now + OneMoreEvery;
        foreach (var uid in _pages.Where(p => now - p.Value.UsedAt > Remembered).Select(p => p.Key).ToList())
            _pages.Remove(uid);
    }

    private sealed class Page
    {
        public List<Told> Texts { get; } = [];

        public int Room { get; set; }

        public DateTimeOffset FilledAt { get; set; }

        public DateTimeOffset UsedAt { get; set; }
    }
}
