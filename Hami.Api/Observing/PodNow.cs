using Hami.Api.Plumbing.Kubernetes;
using k8s.Models;

namespace Hami.Api.Observing;

/// <summary>What the API server says of a pod now.</summary>
/// <param name="Phase">Pending, Running, Succeeded, Failed or Unknown.</param>
/// <param name="Reason">What kubectl shows as its status where that is not the phase, such as ContainerCreating, CrashLoopBackOff, ImagePullBackOff, OOMKilled, Completed or Terminating; null otherwise.</param>
/// <param name="Message">What the API server says to it, such as why it cannot be scheduled or an image not be pulled; null when it says nothing. At most 500 characters.</param>
/// <param name="Ready">Whether it is ready.</param>
/// <param name="Priority">Its priority; higher may preempt lower.</param>
/// <param name="PriorityClass">Name of its PriorityClass; null when it has none.</param>
/// <param name="CreatedAt">When it was created, by the API server's clock.</param>
/// <param name="StartedAt">When its kubelet took it over; null before.</param>
/// <param name="Containers">Its containers, init containers first; at most 32.</param>
public sealed record PodNow(
    string Phase, string? Reason, string? Message, bool Ready, int Priority, string? PriorityClass, DateTimeOffset? CreatedAt, DateTimeOffset? StartedAt,
    IReadOnlyList<ContainerNow> Containers)
{
    private const int MostContainers = 32;
    private const int LongestMessage = 500;

    internal bool IsTerminal => Phase is "Succeeded" or "Failed";

    /// <summary>What is kept of a pod.</summary>
    /// <param name="texts">What pods have in common.</param>
    internal static PodNow Of(V1Pod pod, CommonTexts texts)
    {
        var phase = texts.Of(pod.Status?.Phase ?? "Unknown")!;
        var status = PodStatusWords.Of(pod);
        return new(
            phase, status == phase ? null : texts.Of(status), Cut(Said(pod)), Is(pod, "Ready"), pod.Spec.Priority ?? 0, texts.Of(pod.Spec.PriorityClassName),
            Time(pod.Metadata.CreationTimestamp), Time(pod.Status?.StartTime),
            [
                .. (pod.Spec.InitContainers ?? []).Select(c => ContainerNow.Of(c, isInit: true, pod.Status?.InitContainerStatuses, texts))
                    .Concat((pod.Spec.Containers ?? []).Select(c => ContainerNow.Of(c, isInit: false, pod.Status?.ContainerStatuses, texts)))
                    .Take(MostContainers),
            ]);
    }

    private static string? Said(V1Pod pod)
    {
        var statuses = (pod.Status?.InitContainerStatuses ?? []).Concat(pod.Status?.ContainerStatuses ?? []).Select(s => s.State);
        string?[] said =
        [
            pod.Status?.Message, .. statuses.Select(s => s?.Waiting?.Message ?? s?.Terminated?.Message),
            pod.Status?.Conditions?.FirstOrDefault(c => c is { Type: "PodScheduled", Status: "False" })?.Message,
        ];
        return Array.Find(said, s => !string.IsNullOrWhiteSpace(s));
    }

    private static bool Is(V1Pod pod, string condition) => pod.Status?.Conditions?.Any(c => c.Type == condition && c.Status == "True") is true;

    private static DateTimeOffset? Time(DateTime? at) => at is { } time ? new DateTimeOffset(time.ToUniversalTime()) : null;

    private static string? Cut(string? text) => text is { Length: > LongestMessage } ? text[..(LongestMessage - 1)] + "…" : text;
}

/// <summary>What the API server says of a container now.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Image">The image as the pod names it.</param>
/// <param name="IsInit">Whether it is an init container.</param>
/// <param name="Ready">Whether it is ready.</param>
/// <param name="Restarts">How often it was started again.</param>
/// <param name="State">Waiting, Running or Terminated.</param>
/// <param name="Reason">Why it waits or has ended, such as CrashLoopBackOff, ImagePullBackOff, Completed, Error or OOMKilled; null while it runs.</param>
/// <param name="LastReason">Why it ended the last time it was started again, such as OOMKilled; null when it never was.</param>
/// <param name="CpuRequestMilli">Thousandths of a CPU that it requests; null when it requests none.</param>
/// <param name="CpuLimitMilli">Thousandths of a CPU that it may use; null without a limit.</param>
/// <param name="MemoryRequestMiB">MiB of the node's memory that it requests; null when it requests none.</param>
/// <param name="MemoryLimitMiB">MiB of the node's memory that it may use; null without a limit.</param>
public sealed record ContainerNow(
    string Name, string Image, bool IsInit, bool Ready, int Restarts, string State, string? Reason, string? LastReason, long? CpuRequestMilli, long? CpuLimitMilli,
    long? MemoryRequestMiB, long? MemoryLimitMiB)
{
    private const int LongestImage = 250;
    private const decimal Most = 1_000_000_000_000_000;

    internal static ContainerNow Of(V1Container container, bool isInit, IList<V1ContainerStatus>? statuses, CommonTexts texts)
    {
        var status = statuses?.FirstOrDefault(s => s.Name == container.Name);
        var image = container.Image ?? "";
        return new(
            texts.Of(container.Name)!, texts.Of(image.Length > LongestImage ? image[..LongestImage] : image)!, isInit, status?.Ready ?? false, status?.RestartCount ?? 0,
            status?.State switch { { Running: not null } => "Running", { Terminated: not null } => "Terminated", _ => "Waiting" },
            texts.Of(PodStatusWords.Reason(status?.State)), texts.Of(PodStatusWords.Reason(status?.LastState)),
            Asked(container.Resources?.Requests, "cpu", 1000), Asked(container.Resources?.Limits, "cpu", 1000),
            Asked(container.Resources?.Requests, "memory", 1m / (1 << 20)), Asked(container.Resources?.Limits, "memory", 1m / (1 << 20)));
    }

    private static long? Asked(IDictionary<string, ResourceQuantity>? quantities, string resource, decimal scale) =>
        quantities?.TryGetValue(resource, out var quantity) is true && Quantity.TryParse(quantity.ToString(), out var value)
            ? (long)decimal.Ceiling(Math.Clamp(value, 0, Most) * scale) : null;
}
