using System.Collections.Concurrent;

namespace Hami.Api.Observing;

/// <summary>What the watch last said of every pod of the cluster.</summary>
internal sealed class SeenPods
{
    private readonly ConcurrentDictionary<string, SeenPod> _pods = new(StringComparer.Ordinal);

    private volatile bool _listed;

    /// <summary>Whether a complete list was taken over once; before, that nothing is found means nothing.</summary>
    public bool IsListed => _listed;

    public SeenPod? Find(string podUid) => _pods.GetValueOrDefault(podUid);

    /// <summary>Pods that carry an allocation of ours.</summary>
    public IEnumerable<SeenPod> WithAllocation => _pods.Values.Where(p => p.AllocationId.Length > 0);

    public void See(SeenPod pod) => _pods[pod.Uid] = pod;

    public void Forget(string podUid) => _pods.TryRemove(podUid, out _);

    /// <summary>Takes over a complete list.</summary>
    public void Replace(IReadOnlyCollection<SeenPod> pods)
    {
        var listed = pods.Select(p => p.Uid).ToHashSet(StringComparer.Ordinal);
        foreach (var uid in _pods.Keys.Where(uid => !listed.Contains(uid)))
            Forget(uid);
        foreach (var pod in pods)
            See(pod);
        _listed = true;
    }
}
