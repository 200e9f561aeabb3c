using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>"Near (or far from) pods like these", where near means the same value of a node's label.</summary>
internal sealed class AffinityTerm
{
    private readonly HashSet<string> _namespaces;
    private readonly V1LabelSelector? _namespaceSelector;
    private readonly V1LabelSelector? _pods;

    public AffinityTerm(V1PodAffinityTerm term, string ownNamespace, IDictionary<string, string>? ownLabels)
    {
        TopologyKey = term.TopologyKey;
        _namespaceSelector = term.NamespaceSelector;
        _namespaces = [.. term.Namespaces ?? []];
        if (_namespaces.Count == 0 && _namespaceSelector is null)
            _namespaces.Add(ownNamespace);
        _pods = WithOwn(WithOwn(term.LabelSelector, term.MatchLabelKeys, "In", ownLabels), term.MismatchLabelKeys, "NotIn", ownLabels);
    }

    public string TopologyKey { get; }

    public bool IsAbout(string podNamespace, IDictionary<string, string>? labels) =>
        (_namespaces.Contains(podNamespace) || SelectsNamespace(podNamespace)) && _pods.Selects(labels);

    public static IReadOnlyList<AffinityTerm> Required(V1PodAffinity? affinity, V1Pod pod) => Terms(affinity?.RequiredDuringSchedulingIgnoredDuringExecution, pod);

    public static IReadOnlyList<AffinityTerm> Required(V1PodAntiAffinity? affinity, V1Pod pod) => Terms(affinity?.RequiredDuringSchedulingIgnoredDuringExecution, pod);

    /// <summary>The selector, narrowed to pods that have (or lack) this pod's own values of some labels.</summary>
    public static V1LabelSelector? WithOwn(V1LabelSelector? selector, IList<string>? keys, string operatorWord, IDictionary<string, string>? ownLabels)
    {
        if (selector is null || keys is not { Count: > 0 })
            return selector;
        var own = keys
            .Where(key => ownLabels.Value(key) is not null)
            .Select(key => new V1LabelSelectorRequirement { Key = key, OperatorProperty = operatorWord, Values = [ownLabels.Value(key)!] });
        return new() { MatchLabels = selector.MatchLabels, MatchExpressions = [.. selector.MatchExpressions ?? [], .. own] };
    }

    // The scheduler keeps no namespaces; the one label that every namespace has is known without them.
    private bool SelectsNamespace(string name) =>
        _namespaceSelector is not null
        && _namespaceSelector.Selects(new Dictionary<string, string>(StringComparer.Ordinal) { ["kubernetes.io/metadata.name"] = name });

    private static AffinityTerm[] Terms(IList<V1PodAffinityTerm>? terms, V1Pod pod) =>
        terms is null ? [] : [.. terms.Select(t => new AffinityTerm(t, pod.Metadata.NamespaceProperty, pod.Metadata.Labels))];
}
