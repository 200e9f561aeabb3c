using System.Runtime.InteropServices;

namespace Hami.Lab.Scheduler;

/// <summary>Required pod affinity and anti-affinity of one pod, counted over the cluster once per try.</summary>
internal sealed class Neighbours
{
    private const Happenings Cure = Happenings.NodeAdded | Happenings.NodeLabels | Happenings.PodAssigned | Happenings.PodGone | Happenings.PodLabels;

    private static readonly Refusal TooFar = Refusal.Final("node(s) didn't match pod affinity rules", Cure);
    private static readonly Refusal TooNear = Refusal.ForNow("node(s) didn't match pod anti-affinity rules", Cure);
    private static readonly Refusal Unwelcome = Refusal.ForNow("node(s) didn't satisfy existing pods anti-affinity rules", Cure);

    private readonly PodRecord _pod;

    // How many pods speak for (or against) each value of a topology label.
    private readonly Dictionary<(string Key, string Value), int> _friends = [];
    private readonly Dictionary<(string Key, string Value), int> _foes = [];
    private readonly Dictionary<(string Key, string Value), int> _loners = [];

    private Neighbours(PodRecord pod) => _pod = pod;

    /// <summary>Null when neither the pod nor any other cares.</summary>
    public static Neighbours? Count(PodRecord pod, ClusterState cluster)
    {
        var cares = pod.Near.Count > 0 || pod.FarFrom.Count > 0;
        if (!cares && cluster.LonelyPods == 0)
            return null;
        var neighbours = new Neighbours(pod);
        foreach (var node in cluster.Nodes)
        {
            if (!cares && node.LonelyPods == 0)
                continue;
            foreach (var other in node.Pods)
                neighbours.Change(other, node, 1);
        }
        return neighbours;
    }

    /// <summary>Takes one pod of a node in (1) or out (-1).</summary>
    public void Change(PodRecord other, NodeState node, int times)
    {
        foreach (var term in other.FarFrom)
        {
            if (term.IsAbout(_pod.Namespace, _pod.Labels))
                Tally(_loners, term.TopologyKey, node, times);
        }
        if (_pod.Near.Count > 0 && _pod.Near.All(t => t.IsAbout(other.Namespace, other.Labels)))
        {
            foreach (var term in _pod.Near)
                Tally(_friends, term.TopologyKey, node, times);
        }
        foreach (var term in _pod.FarFrom)
        {
            if (term.IsAbout(other.Namespace, other.Labels))
                Tally(_foes, term.TopologyKey, node, times);
        }
    }

    public Refusal? Refuses(NodeState node)
    {
        if (!IsNearEnough(node))
            return TooFar;
        foreach (var term in _pod.FarFrom)
        {
            if (Counted(_foes, term.TopologyKey, node) > 0)
                return TooNear;
        }
        return _loners.Count > 0 && node.Labels is not null && node.Labels.Any(l => _loners.GetValueOrDefault((l.Key, l.Value)) > 0) ? Unwelcome : null;
    }

    private bool IsNearEnough(NodeState node)
    {
        var allThere = true;
        foreach (var term in _pod.Near)
        {
            if (node.Labels.Value(term.TopologyKey) is null)
                return false;
            allThere &= Counted(_friends, term.TopologyKey, node) > 0;
        }
        // The first of a group that wants to be near itself may go anywhere.
        return allThere || (_friends.Count == 0 && _pod.Near.All(t => t.IsAbout(_pod.Namespace, _pod.Labels)));
    }

    private static int Counted(Dictionary<(string Key, string Value), int> counts, string key, NodeState node) =>
        node.Labels.Value(key) is { } value ? counts.GetValueOrDefault((key, value)) : 0;

    private static void Tally(Dictionary<(string Key, string Value), int> counts, string key, NodeState node, int times)
    {
        if (node.Labels.Value(key) is not { } value)
            return;
        ref var count = ref CollectionsMarshal.GetValueRefOrAddDefault(counts, (key, value), out _);
        count += times;
        if (count == 0)
            counts.Remove((key, value));
    }
}
