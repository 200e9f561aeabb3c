using System.Threading.Channels;

namespace Hami.Lab.Scheduler;

/// <summary>Calls that placing does not wait for; those about the same pod keep their order.</summary>
internal sealed class Lanes(int count)
{
    // Enough to go on placing through a hiccup of the API server; after that placing waits, as kube-scheduler's does.
    private const int Longest = 1000;

    private readonly Channel<Func<Task>>[] _lanes = [.. Enumerable.Range(0, count).Select(_ => Channel.CreateBounded<Func<Task>>(Longest))];

    public ValueTask Add(string podUid, Func<Task> call, CancellationToken cancellationToken) =>
        _lanes[(uint)StringComparer.Ordinal.GetHashCode(podUid) % (uint)_lanes.Length].Writer.WriteAsync(call, cancellationToken);

    /// <summary>Makes the calls until cancelled; a call looks after its own errors.</summary>
    public Task Run(CancellationToken cancellationToken) => Task.WhenAll(_lanes.Select(lane => Run(lane, cancellationToken)));

    private static async Task Run(Channel<Func<Task>> lane, CancellationToken cancellationToken)
    {
        await foreach (var call in lane.Reader.ReadAllAsync(cancellationToken))
            await call();
    }
}
