using System.Text.Json.Serialization;
using Hami.Api.Plumbing.Kubernetes;

namespace Hami.Api.Placing;

/// <summary>kube-scheduler's <c>ExtenderPreemptionArgs</c>: whom it would evict from which node, for the sake of what it knows itself.</summary>
/// <param name="NodeNameToVictims">Whole pods, of an extender that keeps no nodes.</param>
/// <param name="NodeNameToMetaVictims">UIDs only, with <c>nodeCacheCapable: true</c>.</param>
internal sealed record PreemptArguments(
    PodJson? Pod, Dictionary<string, ProposedVictims?>? NodeNameToVictims, Dictionary<string, ProposedVictims?>? NodeNameToMetaVictims)
{
    /// <summary>The one of both that is filled; null when neither is there.</summary>
    [JsonIgnore]
    public IReadOnlyDictionary<string, ProposedVictims?>? Proposed =>
        NodeNameToMetaVictims is { Count: > 0 } ? NodeNameToMetaVictims : NodeNameToVictims ?? NodeNameToMetaVictims;
}

/// <summary>kube-scheduler's <c>Victims</c> and <c>MetaVictims</c>, of which we read the same.</summary>
internal sealed record ProposedVictims(List<ProposedVictim?>? Pods, [property: JsonPropertyName("NumPDBViolations")] long PdbViolations)
{
    [JsonIgnore]
    public IEnumerable<string> Uids => (Pods ?? []).Select(p => p?.Uid ?? p?.Metadata?.Uid ?? "").Where(uid => uid.Length > 0).Distinct(StringComparer.Ordinal);
}

/// <summary>A pod that kube-scheduler would evict.</summary>
/// <param name="Uid">Of a pod that is given by its UID.</param>
/// <param name="Metadata">Of a pod that is given whole.</param>
internal sealed record ProposedVictim(string? Uid, PodJson.Meta? Metadata);

/// <summary>kube-scheduler's <c>ExtenderPreemptionResult</c>: a node that is missing is no candidate any more.</summary>
internal sealed record PreemptResult(IReadOnlyDictionary<string, MetaVictims> NodeNameToMetaVictims)
{
    public static readonly PreemptResult None = new(new Dictionary<string, MetaVictims>(StringComparer.Ordinal));
}

/// <summary>The pods to evict from one node.</summary>
/// <param name="PdbViolations">As kube-scheduler counted them; we see no disruption budgets.</param>
internal sealed record MetaVictims(IReadOnlyList<MetaPod> Pods, [property: JsonPropertyName("NumPDBViolations")] long PdbViolations);

internal sealed record MetaPod([property: JsonPropertyName("UID")] string Uid);
