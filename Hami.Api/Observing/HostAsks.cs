using Hami.Domain.Placing;
using k8s.Models;

namespace Hami.Api.Observing;

/// <summary>What a pod asks of its node's own CPU and memory, as kube-scheduler counts it.</summary>
internal static class HostAsks
{
    private const decimal MiB = 1 << 20;
    private const decimal Most = long.MaxValue / 1000;

    /// <summary>True for an init container that has ended when the app containers start; a sidecar goes on beside them.</summary>
    public static bool Ends(V1Container initContainer) => initContainer.RestartPolicy != "Always";

    public static HostRoom Of(V1Pod pod) => new(
        (long)decimal.Ceiling(Effective(pod, "cpu") * 1000), (long)decimal.Ceiling(Effective(pod, "memory") / MiB));

    /// <summary>Init containers run one after another, each beside the sidecars before it: the largest moment counts.</summary>
    private static decimal Effective(V1Pod pod, string resource)
    {
        decimal sidecars = 0, peak = 0;
        foreach (var container in pod.Spec.InitContainers ?? [])
        {
            if (!Ends(container))
                sidecars += Asked(container, resource);
            else
                peak = Math.Max(peak, sidecars + Asked(container, resource));
        }
        var apps = sidecars + (pod.Spec.Containers?.Sum(c => Asked(c, resource)) ?? 0);
        var all = Math.Max(peak, apps) + (pod.Spec.Overhead is { } overhead && overhead.TryGetValue(resource, out var more) ? Value(more) : 0);
        // The API server takes any number; one pod's must not end the watch of all.
        return Math.Min(all, Most);
    }

    private static decimal Asked(V1Container container, string resource) =>
        container.Resources?.Requests is { } requests && requests.TryGetValue(resource, out var quantity) ? Value(quantity) : 0;

    // The API server has checked the syntax; more than 28 digits no node has.
    private static decimal Value(ResourceQuantity quantity)
    {
        try
        {
            return Math.Min(quantity.ToDecimal(), Most);
        }
        catch (OverflowException)
        {
            return Most;
        }
    }
}
