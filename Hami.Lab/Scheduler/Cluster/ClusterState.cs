using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>The scheduler's picture of the cluster: nodes, the pods on them, and pods that are on their way to one.</summary>
/// <remarks>Not safe by itself: whoever reads or writes holds <see cref="Gate"/>.</remarks>
internal sealed class ClusterState
{
    private readonly Dictionary<string, NodeState> _nodes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, PodRecord> _pods = new(StringComparer.Ordinal);
    private readonly HashSet<string> _assumed = new(StringComparer.Ordinal);
    private readonly List<NodeState> _inOrderOfArrival = [];
    private List<NodeState>? _offered;

    public Lock Gate { get; } = new();

    public IReadOnlyCollection<PodRecord> Pods => _pods.Values;

    /// <summary>How many pods anywhere want to be far from others.</summary>
    public int LonelyPods { get; private set; }

    /// <summary>All nodes in the order in which they are looked at: the zones take turns.</summary>
    public IReadOnlyList<NodeState> Nodes => _offered ??= InTurn();

    public NodeState? Node(string name) => _nodes.TryGetValue(name, out var node) && node.Node is not null ? node : null;

    public PodRecord? Pod(string uid) => _pods.GetValueOrDefault(uid);

    /// <summary>Whether the pod's Binding is under way or not yet seen.</summary>
    public bool IsAssumed(string uid) => _assumed.Contains(uid);

    /// <summary>Takes a node in; returns what it was before, null when it is new.</summary>
    public V1Node? Show(V1Node node)
    {
        var state = State(node.Metadata.Name);
        var before = state.Node;
        var zone = state.Zone;
        state.Show(node);
        if (before is null)
            _inOrderOfArrival.Add(state);
        if (before is null || zone != state.Zone)
            _offered = null;
        return before;
    }

    public bool Drop(string node)
    {
        if (Node(node) is not { } state)
            return false;
        state.Show(null);
        _inOrderOfArrival.Remove(state);
        _offered = null;
        Tidy(state);
        return true;
    }

    /// <summary>The pod is on its node for certain; returns what it was before.</summary>
    public PodRecord? Assign(PodRecord pod)
    {
        var before = Remove(pod.Uid);
        Add(pod);
        return before;
    }

    public void Assume(PodRecord pod)
    {
        Assign(pod);
        _assumed.Add(pod.Uid);
    }

    public PodRecord? Remove(string uid)
    {
        _assumed.Remove(uid);
        if (!_pods.Remove(uid, out var pod))
            return null;
        LonelyPods -= pod.FarFrom.Count > 0 ? 1 : 0;
        var node = State(pod.Node!);
        node.Remove(pod);
        Tidy(node);
        return pod;
    }

    private void Add(PodRecord pod)
    {
        _pods[pod.Uid] = pod;
        LonelyPods += pod.FarFrom.Count > 0 ? 1 : 0;
        State(pod.Node!).Add(pod);
    }

    private NodeState State(string name)
    {
        if (!_nodes.TryGetValue(name, out var state))
            _nodes[name] = state = new(name);
        return state;
    }

    private void Tidy(NodeState state)
    {
        if (state.Node is null && state.Pods.Count == 0)
            _nodes.Remove(state.Name);
    }

    private List<NodeState> InTurn()
    {
        var zones = _inOrderOfArrival.GroupBy(n => n.Zone, StringComparer.Ordinal).Select(g => g.ToList()).ToList();
        var offered = new List<NodeState>(_inOrderOfArrival.Count);
        for (var turn = 0; offered.Count < _inOrderOfArrival.Count; turn++)
            offered.AddRange(zones.Where(z => turn < z.Count).Select(z => z[turn]));
        return offered;
    }
}
