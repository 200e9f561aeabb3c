namespace Hami.Lab.Kubelet;

/// <summary>How long a container rests before it is started again: not at all, 10 s, 20 s … 5 min; forgotten after 10 good minutes.</summary>
internal sealed class RestartBackOff(TimeProvider time)
{
    private static readonly TimeSpan First = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Good = TimeSpan.FromMinutes(10);
    private TimeSpan _next = TimeSpan.Zero;

    /// <summary>The rest that was last given, whole.</summary>
    public TimeSpan Current { get; private set; }

    /// <summary>The rest after a run from <paramref name="started"/> to <paramref name="finished"/>, counted from the run's end.</summary>
    public TimeSpan Next(DateTime? started, DateTime? finished)
    {
        if (finished - started >= Good)
            _next = TimeSpan.Zero;
        var wait = Current = _next;
        _next = wait == TimeSpan.Zero ? First : wait * 2 < Longest ? wait * 2 : Longest;
        var since = finished is { } end ? time.GetUtcNow().UtcDateTime - end : TimeSpan.Zero;
        return wait > since ? wait - since : TimeSpan.Zero;
    }
}
