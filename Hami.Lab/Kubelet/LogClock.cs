namespace Hami.Lab.Kubelet;

/// <summary>When which part of a log was written, as far as a look every moment can tell; containers write their logs themselves.</summary>
internal sealed class LogClock(string file, TimeProvider time)
{
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(200);
    private const int Most = 4096;
    private readonly Lock _gate = new();
    private readonly List<(long From, DateTimeOffset At)> _marks = [];
    private long _length;

    public string File { get; } = file;

    public async Task Run(CancellationToken ended)
    {
        try
        {
            while (true)
            {
                Look();
                await Task.Delay(Moment, time, ended);
            }
        }
        catch (OperationCanceledException)
        {
            Look();
        }
    }

    /// <summary>Takes note of what has been written since the last look.</summary>
    public void Look()
    {
        lock (_gate)
        {
            var log = new FileInfo(File);
            if (!log.Exists || log.Length <= _length)
                return;
            _marks.Add((_length, time.GetUtcNow()));
            _length = log.Length;
            if (_marks.Count <= Most)
                return;
            // A log that grows for days: half as exact is still good, and it is never more.
            var index = 0;
            _marks.RemoveAll(_ => index++ % 2 == 1);
        }
    }

    /// <summary>When the byte was written.</summary>
    public DateTimeOffset At(long position)
    {
        lock (_gate)
            return _marks.FindLast(m => m.From <= position) is { At.Ticks: > 0 } mark ? mark.At : time.GetUtcNow();
    }

    /// <summary>Where begins what was written at that time or later.</summary>
    public long Since(DateTimeOffset since)
    {
        lock (_gate)
        {
            var first = _marks.FindIndex(m => m.At >= since);
            return first < 0 ? _length : _marks[first].From;
        }
    }
}
