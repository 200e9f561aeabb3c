using Hami.Domain.Ledger;

namespace Hami.Api.Plumbing;

/// <summary>Tells those who work behind the log's back that another log has taken its place.</summary>
internal sealed class AnotherLog : ILogFollower
{
    private TaskCompletionSource _begun = New();

    /// <summary>Completes when the log is begun anew after this was asked.</summary>
    public Task BegunAnew => Volatile.Read(ref _begun).Task;

    /// <inheritdoc />
    public void Began(ClusterLedger from) => Interlocked.Exchange(ref _begun, New()).TrySetResult();

    /// <inheritdoc />
    public void Committed(ClusterLedger after, IReadOnlyList<Recorded> recorded)
    {
        // They follow by themselves.
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
