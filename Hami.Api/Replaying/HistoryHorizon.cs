namespace Hami.Api.Replaying;

/// <summary>Where history in the database begins.</summary>
/// <param name="Position">Position in the log of the last event before it.</param>
/// <param name="At">When that happened: moments from then on can be asked for.</param>
/// <param name="File">The file that earlier history ends with.</param>
public sealed record HistoryHorizon(long Position, DateTimeOffset At, string File);
