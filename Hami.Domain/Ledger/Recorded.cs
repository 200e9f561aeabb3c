namespace Hami.Domain.Ledger;

/// <summary>An event as it stands in the log.</summary>
/// <param name="Position">Its sequence in the log.</param>
public sealed record Recorded(long Position, DateTimeOffset At, string Stream, object Event);
