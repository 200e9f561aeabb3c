using System.Collections.Concurrent;
using System.Threading.Channels;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;

namespace Hami.Api.Observing;

/// <summary>UIDs of pods to be reconciled.</summary>
internal sealed class DuePods(SeenPods seen) : ILogFollower
{
    private readonly Channel<string> _due = Channel.CreateUnbounded<string>();

    // Adoption waits for cards that a node has yet to register; their pods may not change in the meantime.
    private readonly ConcurrentDictionary<string, string> _nodes = new(StringComparer.Ordinal);

    public void Add(string podUid) => _due.Writer.TryWrite(podUid);

    /// <summary>Adds a pod whenever its node registers cards.</summary>
    public void AddWithCardsOf(string node, string podUid) => _nodes[podUid] = node;

    public void Forget(string podUid) => _nodes.TryRemove(podUid, out _);

    public IAsyncEnumerable<string> ReadAllAsync(CancellationToken cancellationToken) => _due.Reader.ReadAllAsync(cancellationToken);

    /// <inheritdoc />
    public void Began(ClusterLedger from)
    {
        // Another log may lack what pods hold that it once had; at the first start nobody has been seen yet.
        foreach (var pod in seen.WithAllocation)
            Add(pod.Uid);
    }

    /// <inheritdoc />
    public void Committed(ClusterLedger after, IReadOnlyList<Recorded> recorded)
    {
        // Before the first list nothing is seen; that is compared with the whole ledger.
        if (!seen.IsListed)
            return;
        // kube-scheduler may ask once more for a pod that has just been deleted; neither its refusal nor its shares must outlive it.
        // And who was placed may be heard of only after the pod is gone: from another process, or by a commit whose answer was lost.
        foreach (var uid in recorded.Select(r => PodOf(r.Event)).OfType<string>())
            Add(uid);
        foreach (var registered in recorded.Select(r => r.Event).OfType<NodeEvent.DevicesRegistered>())
        {
            foreach (var waiting in _nodes.Where(n => n.Value == registered.Node))
                Add(waiting.Key);
        }
    }

    private static string? PodOf(object happened) => happened switch
    {
        PodEvent.PlacementRefused e => e.PodUid,
        NodeEvent.AllocationPlaced e => e.PodUid,
        _ => null,
    };
}
