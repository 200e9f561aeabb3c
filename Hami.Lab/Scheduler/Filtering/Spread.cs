using System.Runtime.InteropServices;
using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>Topology spread constraints with <c>DoNotSchedule</c> of one pod, counted over the cluster once per try.</summary>
internal sealed class Spread
{
    private const Happenings Cure = Happenings.NodeAdded | Happenings.NodeGone | Happenings.NodeLabels | Happenings.NodeTaints
        | Happenings.PodAssigned | Happenings.PodGone | Happenings.PodLabels;

    private static readonly Refusal Uneven = Refusal.ForNow("node(s) didn't match pod topology spread constraints", Cure);
    private static readonly Refusal Nowhere = Refusal.Final("node(s) didn't match pod topology spread constraints (missing required label)", Cure);

    private readonly PodRecord _pod;
    private readonly V1Pod _whole;
    private readonly List<Constraint> _constraints;

    private Spread(PodRecord pod, V1Pod whole, List<Constraint> constraints) => (_pod, _whole, _constraints) = (pod, whole, constraints);

    private sealed record Constraint(V1TopologySpreadConstraint Rule, V1LabelSelector? Selector)
    {
        public Dictionary<string, int> Counts { get; } = new(StringComparer.Ordinal);

        public int Least => Counts.Count < (Rule.MinDomains ?? 1) || Counts.Count == 0 ? 0 : Counts.Values.Min();
    }

    /// <summary>Null when the pod does not care.</summary>
    public static Spread? Count(PodRecord pod, V1Pod whole, ClusterState cluster)
    {
        var constraints = (whole.Spec.TopologySpreadConstraints ?? [])
            .Where(c => c.WhenUnsatisfiable == "DoNotSchedule")
            .Select(c => new Constraint(c, AffinityTerm.WithOwn(c.LabelSelector, c.MatchLabelKeys, "In", pod.Labels)))
            .ToList();
        if (constraints.Count == 0)
            return null;
        var spread = new Spread(pod, whole, constraints);
        foreach (var node in cluster.Nodes)
        {
            foreach (var constraint in constraints)
            {
                if (spread.Counts(constraint, node) is { } domain)
                    constraint.Counts.TryAdd(domain, 0);
            }
            foreach (var other in node.Pods)
                spread.Change(other, node, 1);
        }
        return spread;
    }

    /// <summary>Takes one pod of a node in (1) or out (-1).</summary>
    public void Change(PodRecord other, NodeState node, int times)
    {
        if (other.IsEnding || other.Namespace != _pod.Namespace)
            return;
        foreach (var constraint in _constraints)
        {
            if (constraint.Selector.Selects(other.Labels) && Counts(constraint, node) is { } domain)
                CollectionsMarshal.GetValueRefOrAddDefault(constraint.Counts, domain, out _) += times;
        }
    }

    public Refusal? Refuses(NodeState node)
    {
        foreach (var constraint in _constraints)
        {
            if (node.Labels.Value(constraint.Rule.TopologyKey) is not { } domain)
                return Nowhere;
            var self = constraint.Selector.Selects(_pod.Labels) ? 1 : 0;
            if (constraint.Counts.GetValueOrDefault(domain) + self - constraint.Least > constraint.Rule.MaxSkew)
                return Uneven;
        }
        return null;
    }

    // A node takes part when it has all the labels and, as the policies say, the pod could go there at all.
    private string? Counts(Constraint constraint, NodeState node)
    {
        if (!_constraints.TrueForAll(c => node.Labels.Value(c.Rule.TopologyKey) is not null))
            return null;
        if (constraint.Rule.NodeAffinityPolicy is null or "Honor" && !NodeMatch.Selects(_whole.Spec, node.Name, node.Labels))
            return null;
        var tainted = constraint.Rule.NodeTaintsPolicy == "Honor"
            && node.Taints.Any(t => t.Effect is "NoSchedule" or "NoExecute" && !NodeMatch.Tolerates(_whole.Spec.Tolerations, t));
        return tainted ? null : node.Labels.Value(constraint.Rule.TopologyKey);
    }
}
