namespace Hami.Domain.Placing;

/// <summary>What a pod asks of the node's own CPU and memory, counted as Kubernetes counts it.</summary>
public static class HostAsk
{
    public const string Cpu = "cpu";
    public const string Memory = "memory";

    // No node has more of either; it keeps hostile numbers within what can be added and scaled.
    private const decimal Most = 1_000_000_000_000_000;

    public static HostRoom Of(PodShape pod) => new(
        (long)decimal.Ceiling(Effective(pod, Cpu) * 1000), (long)decimal.Ceiling(Effective(pod, Memory) / (1 << 20)));

    /// <summary>
    /// The larger of what runs for good (apps and sidecars) and of each init container beside the sidecars before it, and the overhead.
    /// </summary>
    private static decimal Effective(PodShape pod, string resource)
    {
        decimal staying = 0, peak = 0;
        for (var i = 0; i < pod.Containers.Count; i++)
        {
            var container = pod.Containers[i];
            var reserved = Bounded(container.Reserved(resource));
            if (container.EndsBeforeApps)
                peak = Math.Max(peak, staying + reserved);
            else
                staying += reserved;
        }
        var running = pod.Requests.TryGetValue(resource, out var own) ? Bounded(own) : Math.Max(staying, peak);
        return Bounded(running + (pod.Overhead.TryGetValue(resource, out var overhead) ? Bounded(overhead) : 0));
    }

    private static decimal Bounded(decimal value) => Math.Clamp(value, 0, Most);
}
