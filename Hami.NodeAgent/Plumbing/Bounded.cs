namespace Hami.NodeAgent.Plumbing;

/// <summary>Runs a call with an end in time: an Allocate that hangs stops the node's whole pod loop.</summary>
internal static class Bounded
{
    /// <exception cref="OperationCanceledException">The time is over, or <paramref name="cancellation"/> was asked.</exception>
    public static async Task<T> Call<T>(TimeSpan limit, Func<CancellationToken, Task<T>> call, CancellationToken cancellation)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        bound.CancelAfter(limit);
        // WaitAsync as well: a client that overlooks its token must not hold us.
        return await call(bound.Token).WaitAsync(bound.Token);
    }
}
