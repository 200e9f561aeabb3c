namespace Hami.Api.Asking;

/// <summary>That something happened in the cluster.</summary>
/// <param name="Position">Position in the log of the last event.</param>
/// <param name="At">When that was.</param>
public sealed record ClusterChange(long Position, DateTimeOffset At) : IPositioned
{
    long? IPositioned.ResumeAfter() => Position;
}
