using System.Globalization;
using k8s.Models;

namespace Hami.Api.Observing;

/// <summary>The words people know from <c>kubectl get pods</c>.</summary>
internal static class PodStatusWords
{
    /// <summary>What kubectl has in the column STATUS.</summary>
    public static string Of(V1Pod pod)
    {
        var status = pod.Status;
        var phase = status?.Phase ?? "Unknown";
        // A node that is lost cannot say what became of its pods.
        if (pod.Metadata.DeletionTimestamp is not null && status?.Reason == "NodeLost")
            return "Unknown";
        if (pod.Metadata.DeletionTimestamp is not null && phase is not ("Succeeded" or "Failed"))
            return "Terminating";
        var word = status?.Conditions?.Any(c => c is { Type: "PodScheduled", Reason: "SchedulingGated" }) is true ? "SchedulingGated"
            : !string.IsNullOrEmpty(status?.Reason) ? status.Reason : phase;
        var initializing = Initializing(pod);
        var isInitialized = status?.Conditions?.Any(c => c is { Type: "Initialized", Status: "True" }) is true;
        return initializing is not null && !isInitialized ? initializing : OfContainers(pod, initializing ?? word);
    }

    /// <summary>Why a container waits or has ended; null while it runs, or nothing is said.</summary>
    public static string? Reason(V1ContainerState? state) =>
        state?.Waiting is { } waiting ? NotEmpty(waiting.Reason)
        : state?.Terminated is { } ended ? NotEmpty(ended.Reason) ?? Ended(ended)
        : null;

    /// <summary>How far the init containers are; null when all have ended, or run beside the others.</summary>
    private static string? Initializing(V1Pod pod)
    {
        var inits = pod.Spec.InitContainers ?? [];
        var statuses = pod.Status?.InitContainerStatuses ?? [];
        for (var i = 0; i < statuses.Count; i++)
        {
            var (state, name) = (statuses[i].State, statuses[i].Name);
            var isSidecar = inits.FirstOrDefault(c => c.Name == name)?.RestartPolicy == "Always";
            if (state?.Terminated is { ExitCode: 0 } || (isSidecar && statuses[i].Started is true))
                continue;
            return state?.Terminated is not null || state?.Waiting is { Reason: not (null or "" or "PodInitializing") } ? $"Init:{Reason(state)}"
                : string.Create(CultureInfo.InvariantCulture, $"Init:{i}/{inits.Count}");
        }
        return null;
    }

    /// <summary>What the first container that has something to say says, else the word given.</summary>
    private static string OfContainers(V1Pod pod, string word)
    {
        var statuses = pod.Status?.ContainerStatuses ?? [];
        var said = statuses.Select(s => Reason(s.State)).FirstOrDefault(r => r is not null) ?? word;
        // One has ended, another goes on.
        return said != "Completed" || !statuses.Any(s => s is { Ready: true, State.Running: not null }) ? said
            : pod.Status!.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) is true ? "Running" : "NotReady";
    }

    private static string Ended(V1ContainerStateTerminated ended) => ended.Signal is > 0 and var signal
        ? string.Create(CultureInfo.InvariantCulture, $"Signal:{signal}")
        : string.Create(CultureInfo.InvariantCulture, $"ExitCode:{ended.ExitCode}");

    private static string? NotEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
