namespace Hami.Domain.Replaying;

/// <summary>Something in the log, or beside it, that must not be so.</summary>
/// <param name="Position">The row's sequence in the log; null when it is not about one row.</param>
/// <param name="Stream">The stream it is in; null when it is not about one.</param>
/// <param name="What">One sentence.</param>
public sealed record Finding(long? Position, string? Stream, string What);
