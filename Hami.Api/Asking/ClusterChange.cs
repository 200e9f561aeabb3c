namespace Hami.Api.Asking;

/// <summary>That something happened in the cluster.</summary>
/// <param name="Position">Position in the log of the last event.</param>
/// <param name="At">When that was.</param>
/// <param name="IsListed">Whether lists, histories and trends show it, which follow the log a moment later; if not, it is told once more when they do.</param>
public sealed record ClusterChange(long Position, DateTimeOffset At, bool IsListed) : IPositioned
{
    long? IPositioned.ResumeAfter() => Position;
}
