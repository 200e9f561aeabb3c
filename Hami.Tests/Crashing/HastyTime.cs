namespace Hami.Tests.Crashing;

/// <summary>Pauses are shorter than they say, so that a round need not wait for them; the time of day is the real one.</summary>
internal sealed class HastyTime(int times) : TimeProvider
{
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        new HastyTimer(times, System.CreateTimer(callback, state, Shorter(times, dueTime), Shorter(times, period)));

    private static TimeSpan Shorter(int times, TimeSpan pause) => pause == Timeout.InfiniteTimeSpan ? pause : pause / times;

    private sealed class HastyTimer(int times, ITimer timer) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(Shorter(times, dueTime), Shorter(times, period));

        public void Dispose() => timer.Dispose();

        public ValueTask DisposeAsync() => timer.DisposeAsync();
    }
}
