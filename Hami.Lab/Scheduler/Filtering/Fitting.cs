using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>One pod against all of the scheduler's own filters, in kube-scheduler's order; the first that refuses speaks.</summary>
internal sealed class Fitting(V1Pod pod, PodRecord record, ClusterState cluster, Nominations nominations, IReadOnlySet<string> ignored)
{
    private readonly Neighbours? _neighbours = Neighbours.Count(record, cluster);
    private readonly Spread? _spread = Spread.Count(record, pod, cluster);

    /// <summary>Why the node cannot take the pod, now and with the more important pods that are to come to it; null when it can.</summary>
    public Refusal? Refuses(NodeState node)
    {
        var coming = nominations.To(node.Name, record);
        if (coming.Count == 0)
            return RefusesAsItIs(node);
        foreach (var other in coming)
            Put(other, node);
        var refusal = RefusesAsItIs(node);
        foreach (var other in coming)
            Take(other, node);
        return refusal ?? RefusesAsItIs(node);
    }

    public void Put(PodRecord other, NodeState node)
    {
        node.Add(other);
        _neighbours?.Change(other, node, 1);
        _spread?.Change(other, node, 1);
    }

    public void Take(PodRecord other, NodeState node)
    {
        node.Remove(other);
        _neighbours?.Change(other, node, -1);
        _spread?.Change(other, node, -1);
    }

    private Refusal? RefusesAsItIs(NodeState node) =>
        NodeMatch.Refuses(pod, node)
        ?? Room.RefusesPorts(record, node)
        ?? Room.Refuses(record, node, ignored)
        ?? _spread?.Refuses(node)
        ?? _neighbours?.Refuses(node);
}

/// <summary>Pods that wait for a node they have made room on.</summary>
internal sealed class Nominations
{
    private readonly Dictionary<string, (string Node, PodRecord Pod)> _byPod = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<PodRecord>> _byNode = new(StringComparer.Ordinal);

    public void Set(PodRecord pod, string? node)
    {
        Remove(pod.Uid);
        if (string.IsNullOrEmpty(node))
            return;
        _byPod[pod.Uid] = (node, pod);
        if (!_byNode.TryGetValue(node, out var pods))
            _byNode[node] = pods = [];
        pods.Add(pod);
    }

    public bool Remove(string uid)
    {
        if (!_byPod.Remove(uid, out var had))
            return false;
        var pods = _byNode[had.Node];
        pods.RemoveAll(p => p.Uid == uid);
        if (pods.Count == 0)
            _byNode.Remove(had.Node);
        return true;
    }

    public string? NodeOf(string uid) => _byPod.TryGetValue(uid, out var had) ? had.Node : null;

    /// <summary>Others at least as important that are to come to the node.</summary>
    public IReadOnlyList<PodRecord> To(string node, PodRecord than) =>
        _byNode.TryGetValue(node, out var pods) ? [.. pods.Where(p => p.Priority >= than.Priority && p.Uid != than.Uid)] : [];

    /// <summary>Less important pods that are to come to the node.</summary>
    public IReadOnlyList<PodRecord> LesserTo(string node, PodRecord than) =>
        _byNode.TryGetValue(node, out var pods) ? [.. pods.Where(p => p.Priority < than.Priority)] : [];
}
