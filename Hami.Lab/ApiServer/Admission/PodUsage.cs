using k8s.Models;

namespace Hami.Lab.ApiServer;

/// <summary>What one pod takes from a quota (pkg/quota/v1/evaluator/core, pods.go).</summary>
internal static class PodUsage
{
    private static readonly string[] Native = ["cpu", "memory", "ephemeral-storage"];

    // Only for these must every container say what it wants.
    private static readonly HashSet<string> Demanded = new(StringComparer.Ordinal) { "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory" };

    /// <summary>Amounts by the names quotas use; empty for a pod that has ended.</summary>
    public static Dictionary<string, decimal> Of(V1Pod pod)
    {
        var usage = new Dictionary<string, decimal>(StringComparer.Ordinal) { ["count/pods"] = 1 };
        if (pod.Status?.Phase is "Succeeded" or "Failed")
            return usage;
        usage["pods"] = 1;
        foreach (var (name, amount) in Total(pod, r => r?.Requests))
        {
            if (Native.Contains(name, StringComparer.Ordinal))
                (usage[name], usage[$"requests.{name}"]) = (amount, amount);
            else if (name.StartsWith("hugepages-", StringComparison.Ordinal))
                (usage[name], usage[$"requests.{name}"]) = (amount, amount);
            // Extended resources cannot be overcommitted, so their requests are all there is to limit.
            else
                usage[$"requests.{name}"] = amount;
        }
        foreach (var (name, amount) in Total(pod, r => r?.Limits).Where(l => Native.Contains(l.Key, StringComparer.Ordinal)))
            usage[$"limits.{name}"] = amount;
        return usage;
    }

    /// <summary>Whether a quota of this resource is about pods.</summary>
    public static bool Counts(string resource) =>
        resource is "pods" or "count/pods" || Native.Contains(resource, StringComparer.Ordinal) || resource.StartsWith("hugepages-", StringComparison.Ordinal)
        || (resource.StartsWith("requests.", StringComparison.Ordinal) && resource is not "requests.storage")
        || (resource.StartsWith("limits.", StringComparison.Ordinal) && Native.Contains(resource["limits.".Length..], StringComparer.Ordinal));

    /// <summary>What containers leave unsaid though a quota limits it; null when nothing is missing.</summary>
    public static string? Missing(V1Pod pod, IEnumerable<string> limited)
    {
        var missing = limited.Where(Demanded.Contains).Order(StringComparer.Ordinal)
            .Select(r => (Resource: r, Containers: Containers(pod).Where(c => !Says(c, r)).Select(c => c.Name).Order(StringComparer.Ordinal).ToArray()))
            .Where(m => m.Containers.Length > 0).Select(m => $"{m.Resource} for: {string.Join(',', m.Containers)}").ToArray();
        return missing.Length > 0 ? $"must specify {string.Join("; ", missing)}" : null;
    }

    /// <summary>Whether a quota with these scopes looks at the pod.</summary>
    public static bool InScope(V1Pod pod, V1ResourceQuotaSpec quota) =>
        (quota.Scopes ?? []).All(s => Matches(pod, new V1ScopedResourceSelectorRequirement { ScopeName = s, OperatorProperty = "Exists" }))
        && (quota.ScopeSelector?.MatchExpressions ?? []).All(e => Matches(pod, e));

    private static bool Matches(V1Pod pod, V1ScopedResourceSelectorRequirement scope) => scope.ScopeName switch
    {
        "Terminating" => pod.Spec.ActiveDeadlineSeconds is not null,
        "NotTerminating" => pod.Spec.ActiveDeadlineSeconds is null,
        "BestEffort" => pod.Status?.QosClass is "BestEffort",
        "NotBestEffort" => pod.Status?.QosClass is not "BestEffort",
        "PriorityClass" => scope.OperatorProperty switch
        {
            "Exists" => !string.IsNullOrEmpty(pod.Spec.PriorityClassName),
            "DoesNotExist" => string.IsNullOrEmpty(pod.Spec.PriorityClassName),
            "In" => scope.Values?.Contains(pod.Spec.PriorityClassName ?? "") is true,
            "NotIn" => scope.Values?.Contains(pod.Spec.PriorityClassName ?? "") is not true,
            _ => false,
        },
        _ => false,
    };

    private static IEnumerable<V1Container> Containers(V1Pod pod) => (pod.Spec.InitContainers ?? []).Concat(pod.Spec.Containers);

    private static bool Says(V1Container container, string resource)
    {
        var limits = resource.StartsWith("limits.", StringComparison.Ordinal);
        var name = resource[(resource.IndexOf('.', StringComparison.Ordinal) + 1)..];
        return (limits ? container.Resources?.Limits : container.Resources?.Requests)?.ContainsKey(name) is true;
    }

    // Init containers run before the others and one after another; sidecars beside both.
    private static Dictionary<string, decimal> Total(V1Pod pod, Func<V1ResourceRequirements?, IDictionary<string, ResourceQuantity>?> of)
    {
        var sum = new Dictionary<string, decimal>(StringComparer.Ordinal);
        var sidecars = new Dictionary<string, decimal>(StringComparer.Ordinal);
        var peak = new Dictionary<string, decimal>(StringComparer.Ordinal);
        foreach (var container in pod.Spec.Containers)
            Add(sum, of(container.Resources));
        foreach (var init in pod.Spec.InitContainers ?? [])
        {
            if (init.RestartPolicy is "Always")
            {
                Add(sidecars, of(init.Resources));
                Add(sum, of(init.Resources));
                continue;
            }
            foreach (var (name, amount) in of(init.Resources) ?? new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal))
                peak[name] = Math.Max(peak.GetValueOrDefault(name), amount.ToDecimal() + sidecars.GetValueOrDefault(name));
        }
        foreach (var (name, amount) in peak)
            sum[name] = Math.Max(sum.GetValueOrDefault(name), amount);
        Add(sum, pod.Spec.Overhead);
        return sum;
    }

    private static void Add(Dictionary<string, decimal> sum, IDictionary<string, ResourceQuantity>? amounts)
    {
        foreach (var (name, amount) in amounts ?? new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal))
            sum[name] = sum.GetValueOrDefault(name) + amount.ToDecimal();
    }
}
