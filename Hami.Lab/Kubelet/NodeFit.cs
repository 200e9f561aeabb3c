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
        Room(
            Requests(pod),
            others.Count,
            resource => others.Sum(o => Requests(o).GetValueOrDefault(resource)),
            (node.Status?.Allocatable ?? new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal))
                .Where(a => !isDevice(a.Key))
                .ToDictionary(a => a.Key, a => Quantity.Of(a.Value), StringComparer.Ordinal));
        if (!NodeAffinity.Allows(pod.Spec, node))
            throw Failed("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
        if ((node.Spec?.Taints ?? []).Any(t => t.Effect == "NoExecute" && !(pod.Spec.Tolerations ?? []).Any(o => Tolerates(o, t))))
            throw Failed("TaintToleration", "node(s) had taints that the pod didn't tolerate");
    }

    /// <summary>Throws <see cref="AdmissionException"/> when there is not enough of something; what is not allocatable here is the cluster's matter, not the node's.</summary>
    public static void Room(
        IReadOnlyDictionary<string, decimal> asked, int pods, Func<string, decimal> used, IReadOnlyDictionary<string, decimal> allocatable)
    {
        Enough("pods", 1, pods, (long)allocatable.GetValueOrDefault("pods"));
        var order = Native.Concat(asked.Keys.Where(r => r.Contains('/')).Order(StringComparer.Ordinal));
        foreach (var resource in order.Where(r => asked.GetValueOrDefault(r) > 0 && allocatable.ContainsKey(r)))
        {
            var unit = resource == "cpu" ? 1000 : 1;
            Enough(
                resource, Quantity.Whole(asked[resource] * unit), Quantity.Whole(used(resource) * unit), (long)Math.Floor(allocatable[resource] * unit));
        }
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
                var atThatTime = together.GetValueOrDefault(resource) + (Asking.IsSidecar(init) ? 0 : Quantity.Of(quantity));
                peak[resource] = Math.Max(peak.GetValueOrDefault(resource), atThatTime);
            }
        }
        foreach (var container in pod.Spec.Containers)
            Add(together, container);
        foreach (var (resource, quantity) in peak)
            together[resource] = Math.Max(together.GetValueOrDefault(resource), quantity);
        // A pod that says what it needs as a whole overrules its containers.
        foreach (var (resource, quantity) in pod.Spec.Resources?.Requests ?? new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal))
            together[resource] = Quantity.Of(quantity);
        foreach (var (resource, quantity) in pod.Spec.Overhead ?? new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal))
            together[resource] = together.GetValueOrDefault(resource) + Quantity.Of(quantity);
        return together;
    }

    private static void Add(Dictionary<string, decimal> sum, V1Container container)
    {
        foreach (var (resource, quantity) in container.Resources?.Requests ?? new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal))
            sum[resource] = sum.GetValueOrDefault(resource) + Quantity.Of(quantity);
    }

    private static void Enough(string resource, long requested, long used, long capacity)
    {
        if (requested > capacity - used)
        {
            throw new AdmissionException($"Node didn't have enough resource: {resource}, requested: {requested}, used: {used}, capacity: {capacity}")
            {
                Reason = $"OutOf{resource}",
            };
        }
    }

    private static bool Tolerates(V1Toleration toleration, V1Taint taint) =>
        (string.IsNullOrEmpty(toleration.Effect) || toleration.Effect == taint.Effect)
        && (string.IsNullOrEmpty(toleration.Key) || toleration.Key == taint.Key)
        && (toleration.OperatorProperty == "Exists" || (toleration.Value ?? "") == (taint.Value ?? ""));

    private static AdmissionException Failed(string predicate, string why) => new($"Predicate {predicate} failed: {why}") { Reason = predicate };
}
