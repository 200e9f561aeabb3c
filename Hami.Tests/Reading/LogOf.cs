namespace Hami.Tests.Reading;

/// <summary>A log written down event by event, with the seconds at which they happened.</summary>
internal sealed class LogOf
{
    public static readonly DateTimeOffset Start = new(2026, 3, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly List<(long Position, DateTimeOffset At, string Stream, object Event)> _events = [];

    public IReadOnlyList<(long Position, DateTimeOffset At, string Stream, object Event)> Events => _events;

    public LogOf At(double seconds, string stream, object happened)
    {
        _events.Add((_events.Count + 1, Start.AddSeconds(seconds), stream, happened));
        return this;
    }
}
