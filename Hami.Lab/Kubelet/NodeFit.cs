using k8s.Models;

namespace Hami.Lab.Kubelet;

/// <summary>What a kubelet checks of a pod beside its devices; a scheduler has checked it before, but a pod may come around it or too late.</summary>
internal static class NodeFit
{
    private static readonly string[] Native = ["cpu", "memory", "ephemeral-storage"];

    /// <summary>Throws <see cref="AdmissionException"/> with the first reason why the node cannot take the pod.</summary>
    /// <param name="others">Pods that were admitted and have not ended.</param>
    /// <param name="isDevice">Resources that plugins hand out: they are counted by id elsewhere.</param>
    public static void Check(V1Pod pod, IReadOnlyCollection<V1Pod> others, V1Node node, Func<string, bool> isDevice)
    {
        var allocatable = node.Status?.Allocatable ?? new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal);
        Enough("pods", 1, others.Count, Value(allocatable, "pods", 1));
        var asked = Requests(pod);
        // What the node does not list is a matter of the cluster's, not of the node's.
        var order = Native.Concat(asked.Keys.Where(r => r.Contains('/')).Order(StringComparer.Ordinal));
        foreach (var resource in order.Where(r => asked.GetValueOrDefault(r) > 0 && allocatable.ContainsKey(r) && !isDevice(r)))
        {
            var unit = resource == "cpu" ? 1000 : 1;
            var used = others.Sum(o => Requests(o).GetValueOrDefault(resource));
            Enough(resource, (long)Math.Ceiling(asked[resource] * unit), (long)Math.Ceiling(used * unit), Value(allocatable, resource, unit));
        }
        if (!NodeAffinity.Allows(pod.Spec, node))
            throw Failed("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
        if ((node.Spec?.Taints ?? []).Any(t => t.Effect == "NoExecute" && !(pod.Spec.Tolerations ?? []).Any(o => Tolerates(o, t))))
            throw Failed("TaintToleration", "node(s) had taints that the pod didn't tolerate");
    }

    /// <summary>What the scheduler counts for a pod: the larger of its containers together and its largest init container; sidecars count with both.</summary>
    public static Dictionary<string, decimal> Requests(V1Pod pod)
    {
        var together = new Dictionary<string, decimal>(StringComparer.Ordinal);
        var peak = new Dictionary<string, decimal>(StringComparer.Ordinal);
        foreach (var init in pod.Spec.InitContainers ?? [])
        {
            if (Asking.IsSidecar(init))
                Add(together, init);
            foreach (var (resource, quantity) in init.Resources?.Requests ?? new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal))
            {
                var atThatTime = together.GetValueOrDefault(resource) + (Asking.IsSidecar(init) ? 0 : quantity.ToDecimal());
                peak[resource] = Math.Max(peak.GetValueOrDefault(resource), atThatTime);
            }
        }
        foreach (var container in pod.Spec.Containers)
            Add(together, container);
        foreach (var (resource, quantity) in peak)
            together[resource] = Math.Max(together.GetValueOrDefault(resource), quantity);
        foreach (var (resource, quantity) in pod.Spec.Overhead ?? new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal))
            together[resource] = together.GetValueOrDefault(resource) + quantity.ToDecimal();
        return together;
    }

    private static void Add(Dictionary<string, decimal> sum, V1Container container)
    {
        foreach (var (resource, quantity) in container.Resources?.Requests ?? new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal))
            sum[resource] = sum.GetValueOrDefault(resource) + quantity.ToDecimal();
    }

    private static void Enough(string resource, long requested, long used, long capacity)
    {
        if (used + requested > capacity)
        {
            throw new AdmissionException($"Node didn't have enough resource: {resource}, requested: {requested}, used: {used}, capacity: {capacity}")
            {
                Reason = $"OutOf{resource}",
            };
        }
    }

    private static long Value(IDictionary<string, ResourceQuantity> quantities, string resource, int unit) =>
        quantities.TryGetValue(resource, out var quantity) ? (long)Math.Floor(quantity.ToDecimal() * unit) : 0;

    private static bool Tolerates(V1Toleration toleration, V1Taint taint) =>
        (string.IsNullOrEmpty(toleration.Effect) || toleration.Effect == taint.Effect)
        && (string.IsNullOrEmpty(toleration.Key) || toleration.Key == taint.Key)
        && (toleration.OperatorProperty == "Exists" || (toleration.Value ?? "") == (taint.Value ?? ""));

    private static AdmissionException Failed(string predicate, string why) => new($"Predicate {predicate} failed: {why}") { Reason = predicate };
}
