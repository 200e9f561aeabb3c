using k8s.Models;

namespace Hami.Lab.Kubelet;

/// <summary>What the kubelet says about a pod.</summary>
internal static class PodReport
{
    /// <summary>A pod that was never admitted: no containers, no conditions of ours (recorded).</summary>
    public static V1PodStatus Rejected(V1Pod pod, string reason, string message, DateTimeOffset now) => new()
    {
        Phase = "Failed",
        Reason = reason,
        Message = message,
        StartTime = now.UtcDateTime,
        ObservedGeneration = pod.Metadata.Generation,
        QosClass = pod.Status?.QosClass,
    };

    public static V1PodStatus Of(V1Pod pod, IReadOnlyList<ContainerState> containers, string phase, string address, bool hasSandbox, DateTimeOffset since, DateTimeOffset now)
    {
        var init = containers.Where(c => c.IsInit).ToList();
        var app = containers.Where(c => !c.IsInit).ToList();
        var initialized = init.All(c => c.IsSidecar ? c.HasStarted : c.Succeeded);
        var terminal = phase is "Succeeded" or "Failed";
        var unready = app.Concat(init.Where(c => c.IsSidecar)).Where(c => !c.IsReady).Select(c => c.Container.Name).ToList();
        var ready = unready.Count == 0 && !terminal;
        var unreadyReason = phase == "Succeeded" ? "PodCompleted" : phase == "Failed" ? "PodFailed" : "ContainersNotReady";
        var unreadyMessage = terminal ? null : $"containers with unready status: [{string.Join(' ', unready)}]";
        var uninitialized = init.Where(c => c.IsSidecar ? !c.HasStarted : !c.Succeeded).Select(c => c.Container.Name);

        V1PodCondition[] ours =
        [
            Condition(pod, "PodReadyToStartContainers", hasSandbox && !terminal, null, null, now),
            Condition(pod, "Initialized", initialized, "ContainersNotInitialized", $"containers with incomplete status: [{string.Join(' ', uninitialized)}]", now),
            Condition(pod, "Ready", ready, unreadyReason, unreadyMessage, now),
            Condition(pod, "ContainersReady", ready, unreadyReason, unreadyMessage, now),
        ];
        return new()
        {
            Phase = phase,
            StartTime = pod.Status?.StartTime ?? since.UtcDateTime,
            ObservedGeneration = pod.Metadata.Generation,
            HostIP = address,
            HostIPs = [new() { Ip = address }],
            PodIP = hasSandbox ? address : null,
            PodIPs = hasSandbox ? [new() { Ip = address }] : null,
            // Only ours: a strategic patch leaves those of others.
            Conditions = ours,
            InitContainerStatuses = init.Count == 0 ? null : [.. init.Select(c => c.Status())],
            ContainerStatuses = [.. app.Select(c => c.Status())],
            QosClass = pod.Status?.QosClass,
        };
    }

    private static V1PodCondition Condition(V1Pod pod, string type, bool holds, string? reason, string? message, DateTimeOffset now)
    {
        var status = holds ? "True" : "False";
        var had = pod.Status?.Conditions?.FirstOrDefault(c => c.Type == type);
        return new()
        {
            Type = type,
            Status = status,
            Reason = holds ? null : reason,
            Message = holds ? null : message,
            ObservedGeneration = pod.Metadata.Generation,
            LastTransitionTime = had?.Status == status ? had.LastTransitionTime : now.UtcDateTime,
        };
    }
}
