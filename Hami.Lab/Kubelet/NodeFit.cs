using System.Runtime.CompilerServices;
using Hami.Lab.Scheduler;
using k8s.Models;

namespace Hami.Lab.Kubelet;

/// <summary>What a kubelet checks of a pod beside its devices; a scheduler has checked it before, but a pod may come around it or too late.</summary>
/// <remarks>Counted and matched by the scheduler's own code, as in a real kubelet.</remarks>
internal static class NodeFit
{
    // A full node's pods are added up for every pod that comes.
    private static readonly ConditionalWeakTable<V1Pod, Amounts> Asked = [];

    /// <summary>Throws <see cref="AdmissionException"/> with the first reason why the node cannot take the pod.</summary>
    /// <param name="others">Pods that were admitted and have not ended.</param>
    /// <param name="isDevice">Resources that plugins hand out: they are counted by id elsewhere.</param>
    public static void Check(V1Pod pod, IReadOnlyCollection<V1Pod> others, V1Node node, Func<string, bool> isDevice)
    {
        var has = node.Status?.Allocatable ?? new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal);
        var taken = new Amounts();
        foreach (var other in others)
            taken.Add(Asked.GetValue(other, PodAmounts.Of));
        Room(
            PodAmounts.Of(pod),
            taken,
            others.Count,
            Amounts.Of(has.Where(a => !isDevice(a.Key)).ToDictionary(StringComparer.Ordinal)),
            has.TryGetValue("pods", out var pods) ? (long)Quantity.Of(pods) : 0);
        if (!NodeMatch.Selects(pod.Spec, node.Metadata.Name, node.Metadata.Labels))
            throw Failed("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
        if ((node.Spec?.Taints ?? []).Any(t => t.Effect == "NoExecute" && !NodeMatch.Tolerates(pod.Spec.Tolerations, t)))
            throw Failed("TaintToleration", "node(s) had taints that the pod didn't tolerate");
    }

    /// <summary>Throws <see cref="AdmissionException"/> when there is not enough of something; what is not allocatable here is the cluster's matter, not the node's.</summary>
    public static void Room(Amounts asked, Amounts taken, int pods, Amounts has, long hasPods)
    {
        Enough("pods", 1, pods, hasPods);
        Enough("cpu", asked.MilliCpu, taken.MilliCpu, has.MilliCpu);
        Enough("memory", asked.MemoryBytes, taken.MemoryBytes, has.MemoryBytes);
        Enough("ephemeral-storage", asked.DiskBytes, taken.DiskBytes, has.DiskBytes);
        var here = has.Others.Select(o => o.Key).Where(r => r.Contains('/')).Order(StringComparer.Ordinal);
        foreach (var resource in here)
            Enough(resource, asked.Other(resource), taken.Other(resource), has.Other(resource));
    }

    private static void Enough(string resource, long requested, long used, long capacity)
    {
        if (requested > 0 && requested > capacity - used)
        {
            throw new AdmissionException($"Node didn't have enough resource: {resource}, requested: {requested}, used: {used}, capacity: {capacity}")
            {
                Reason = $"OutOf{resource}",
            };
        }
    }

    private static AdmissionException Failed(string predicate, string why) => new($"Predicate {predicate} failed: {why}") { Reason = predicate };
}
