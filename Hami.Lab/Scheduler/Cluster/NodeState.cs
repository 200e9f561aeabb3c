using System.Collections.Immutable;
using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>A node and what its pods have taken of it, kept up to date pod by pod.</summary>
internal sealed class NodeState(string name)
{
    private static readonly V1Taint NotReady = new() { Key = "node.kubernetes.io/not-ready", Effect = "NoSchedule" };
    private readonly Dictionary<string, PodRecord> _pods = new(StringComparer.Ordinal);

    public string Name => name;

    /// <summary>Null while pods name a node that the API server has not shown us.</summary>
    public V1Node? Node { get; private set; }

    public IDictionary<string, string>? Labels { get; private set; }

    public bool IsCordoned { get; private set; }

    public ImmutableArray<V1Taint> Taints { get; private set; } = [];

    public Amounts Has { get; private set; } = new();

    public long HasPods { get; private set; }

    /// <summary>Region and zone; nodes of different zones are offered in turn.</summary>
    public string Zone { get; private set; } = "";

    public IReadOnlyCollection<PodRecord> Pods => _pods.Values;

    public Amounts Taken { get; } = new();

    public Amounts TakenToCompare { get; } = new();

    /// <summary>How many of its pods want to be far from others.</summary>
    public int LonelyPods { get; private set; }

    public int PodsWithPorts { get; private set; }

    public void Show(V1Node? node)
    {
        Node = node;
        if (node is null)
            return;
        Labels = node.Metadata.Labels;
        IsCordoned = node.Spec?.Unschedulable == true;
        Taints = [.. node.Spec?.Taints ?? []];
        // The node lifecycle controller puts this taint; without one, or before it has looked, it is taken as put.
        if (!IsReady(node) && !Taints.Any(t => t.Key == NotReady.Key && t.Effect == NotReady.Effect))
            Taints = [.. Taints, NotReady];
        Has = Amounts.Of(node.Status?.Allocatable);
        HasPods = node.Status?.Allocatable is { } allocatable && allocatable.TryGetValue("pods", out var pods) ? pods.ToInt64() : 0;
        Zone = $"{Labels.Value("topology.kubernetes.io/region")}:\0:{Labels.Value("topology.kubernetes.io/zone")}";
    }

    public void Add(PodRecord pod)
    {
        if (_pods.TryAdd(pod.Uid, pod))
            Count(pod, 1);
    }

    public void Remove(PodRecord pod)
    {
        if (_pods.Remove(pod.Uid, out var had))
            Count(had, -1);
    }

    public static bool IsReady(V1Node node) => node.Status?.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) == true;

    private void Count(PodRecord pod, int times)
    {
        Taken.Add(pod.Asks, times);
        TakenToCompare.Add(pod.AsksToCompare, times);
        LonelyPods += pod.FarFrom.Count > 0 ? times : 0;
        PodsWithPorts += pod.HostPorts.Count > 0 ? times : 0;
    }
}
