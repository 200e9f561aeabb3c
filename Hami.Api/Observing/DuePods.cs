using System.Threading.Channels;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;

namespace Hami.Api.Observing;

/// <summary>UIDs of pods to be reconciled.</summary>
internal sealed class DuePods : ILogFollower
{
    private readonly Channel<string> _due = Channel.CreateUnbounded<string>();

    public void Add(string podUid) => _due.Writer.TryWrite(podUid);

    public IAsyncEnumerable<string> ReadAllAsync(CancellationToken cancellationToken) => _due.Reader.ReadAllAsync(cancellationToken);

    /// <inheritdoc />
    public void Committed(ClusterLedger after, IReadOnlyList<Recorded> recorded)
    {
        // kube-scheduler may ask once more for a pod that has just been deleted; its refusal must not outlive it.
        foreach (var refused in recorded.Select(r => r.Event).OfType<PodEvent.PlacementRefused>())
            Add(refused.PodUid);
    }
}
