namespace Hami.Lab.Hollow;

/// <summary>Does something for each of many, once in every interval, spread evenly over it.</summary>
internal static class Spread
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(100);

    /// <summary>Goes on until cancelled; who comes late is served late, never twice at once.</summary>
    public static async Task Over(int count, TimeSpan interval, int atOnce, Func<int, CancellationToken, Task> act, TimeProvider time, CancellationToken cancellationToken)
    {
        var since = time.GetTimestamp();
        var done = 0L;
        while (count > 0)
        {
            await Task.Delay(Tick, time, cancellationToken);
            var due = (long)(time.GetElapsedTime(since) / interval * count);
            // More than a whole round behind: the rounds missed are not made up for.
            done = Math.Max(done, due - count);
            while (done < due)
            {
                var now = (int)Math.Min(atOnce, due - done);
                var from = done;
                await Task.WhenAll(Enumerable.Range(0, now).Select(i => act((int)((from + i) % count), cancellationToken)));
                done += now;
            }
        }
    }
}
