using k8s;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>What controllers ask about pods and labels.</summary>
internal static class Pods
{
    public static bool IsActive(this V1Pod pod) => !pod.IsFinished() && pod.Metadata.DeletionTimestamp is null;

    public static bool IsFinished(this V1Pod pod) => pod.Status?.Phase is "Succeeded" or "Failed";

    public static bool IsReady(this V1Pod pod) => pod.ReadyCondition()?.Status is "True";

    public static V1PodCondition? ReadyCondition(this V1Pod pod) => pod.Status?.Conditions?.FirstOrDefault(c => c.Type is "Ready");

    /// <summary>How long until the pod counts as available; zero when it does, null when it is not even ready.</summary>
    public static TimeSpan? UntilAvailable(this V1Pod pod, int? minReadySeconds, DateTimeOffset now)
    {
        if (!pod.IsReady())
            return null;
        var since = pod.ReadyCondition()!.LastTransitionTime is { } time ? time.Instant() : now;
        var left = since + TimeSpan.FromSeconds(minReadySeconds ?? 0) - now;
        return left > TimeSpan.Zero && minReadySeconds > 0 ? left : TimeSpan.Zero;
    }

    /// <summary>The order in which pods are given up: the least useful first (controller_utils.go, ActivePodsWithRanks).</summary>
    public static IEnumerable<V1Pod> LeastUsefulFirst(this IEnumerable<V1Pod> pods)
    {
        var all = pods.ToList();
        var onNode = all.Where(p => p.Spec.NodeName is not null).GroupBy(p => p.Spec.NodeName, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal);
        return all
            .OrderBy(p => !string.IsNullOrEmpty(p.Spec.NodeName))
            .ThenBy(p => p.Status?.Phase switch { "Pending" => 0, "Unknown" => 1, _ => 2 })
            .ThenBy(IsReady)
            .ThenBy(p => int.TryParse(p.Metadata.Annotations?.TryGetValue("controller.kubernetes.io/pod-deletion-cost", out var cost) is true ? cost : "0", out var number) ? number : 0)
            .ThenByDescending(p => onNode.GetValueOrDefault(p.Spec.NodeName ?? ""))
            .ThenByDescending(p => p.ReadyCondition()?.LastTransitionTime)
            .ThenByDescending(p => p.Status?.ContainerStatuses?.Max(c => (int?)c.RestartCount) ?? 0)
            .ThenByDescending(p => p.Metadata.CreationTimestamp)
            .ThenBy(p => p.Uid(), StringComparer.Ordinal);
    }

    public static bool Matches(this V1LabelSelector? selector, IDictionary<string, string>? labels)
    {
        if (selector is null)
            return false;
        string? Value(string key) => labels?.TryGetValue(key, out var value) is true ? value : null;
        return (selector.MatchLabels ?? new Dictionary<string, string>(StringComparer.Ordinal)).All(l => Value(l.Key) == l.Value)
            && (selector.MatchExpressions ?? []).All(e => e.OperatorProperty switch
            {
                "In" => Value(e.Key) is { } value && e.Values.Contains(value),
                "NotIn" => Value(e.Key) is not { } value || !e.Values.Contains(value),
                "Exists" => Value(e.Key) is not null,
                "DoesNotExist" => Value(e.Key) is null,
                _ => false,
            });
    }
}
