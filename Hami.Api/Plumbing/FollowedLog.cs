using Hami.Domain.Ledger;

namespace Hami.Api.Plumbing;

/// <summary>Which log is followed, for those who compare something with it: another one may take its place.</summary>
internal sealed class FollowedLog : ILogFollower, IDisposable
{
    private CancellationTokenSource _ends = new();
    private int _number;

    /// <summary>Counts the logs that were begun; another one has another number.</summary>
    public int Number => Volatile.Read(ref _number);

    /// <summary>Cancelled when another log has taken the place of the one that is followed now.</summary>
    public CancellationToken Ends => Volatile.Read(ref _ends).Token;

    /// <summary>Does something for the log that is followed, and again for each that takes its place; never returns.</summary>
    public async Task ForEachAsync(Func<CancellationToken, Task> act, CancellationToken cancellationToken)
    {
        while (true)
        {
            using var ends = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, Ends);
            await act(cancellationToken);
            await Task.Delay(Timeout.Infinite, ends.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <inheritdoc />
    public void Began(ClusterLedger from)
    {
        Interlocked.Increment(ref _number);
        // Not to be waited for: the journal goes on meanwhile.
        _ = Interlocked.Exchange(ref _ends, new()).CancelAsync();
    }

    /// <inheritdoc />
    public void Committed(ClusterLedger after, IReadOnlyList<Recorded> recorded)
    {
        // It is the same log.
    }

    public void Dispose() => _ends.Dispose();
}
