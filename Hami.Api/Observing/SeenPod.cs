using Hami.Api.Plumbing.Kubernetes;
using Hami.Domain.Ledger;
using Hami.Domain.Observing;
using Hami.Domain.Protocol;
using k8s.Models;

namespace Hami.Api.Observing;

/// <summary>What the watch last said of a pod, as far as we care; its labels and annotations, which may be large, are not kept.</summary>
/// <param name="InitsEnded">True when the pod has init containers that end, and all of them have succeeded.</param>
/// <param name="Priority">Its PriorityClass's value; higher may preempt lower.</param>
/// <param name="CreatedAt">By the API server's clock, in whole seconds.</param>
/// <param name="Foreign">What HAMi's annotations say that it holds; null for a pod that we placed, and for one without them.</param>
internal sealed record SeenPod(
    string Uid, string Namespace, string Name, string Node, string Phase, bool IsBeingDeleted, string AllocationId, string BindPhase,
    bool InitsEnded, int Priority, DateTimeOffset CreatedAt, ForeignShares? Foreign)
{
    /// <summary>True when it carries an allocation of ours with a signature; whether that is valid is looked at only where it matters.</summary>
    public bool IsSigned { get; init; }

    /// <summary>What a pod with foreign shares belongs to; null for others.</summary>
    public WorkloadOwner? Owner { get; init; }

    public bool IsTerminal => Phase is "Succeeded" or "Failed";

    /// <summary>Reads a pod; annotations that cannot be read are among what was seen.</summary>
    public static SeenPod Of(V1Pod pod, NvidiaConfig nvidia)
    {
        var allocationId = pod.GetAnnotation(HamiKeys.AllocationId) ?? "";
        var foreign = allocationId.Length == 0 && !string.IsNullOrEmpty(pod.Spec.NodeName) ? ForeignSharesOf(pod, nvidia) : null;
        return new(
            pod.Uid(), pod.Namespace(), pod.Name(), pod.Spec.NodeName ?? "", pod.Status?.Phase ?? "", pod.Metadata.DeletionTimestamp is not null,
            allocationId, pod.GetAnnotation(HamiKeys.BindPhase) ?? "", HaveInitsEnded(pod), pod.Spec.Priority ?? 0,
            pod.Metadata.CreationTimestamp is { } created ? new(created.ToUniversalTime()) : DateTimeOffset.MinValue,
            foreign)
        {
            Owner = foreign is null ? null : PodReading.Owner(pod),
            IsSigned = allocationId.Length > 0 && !string.IsNullOrEmpty(pod.GetAnnotation(HamiKeys.AllocationSignature)),
        };
    }

    private static bool Ends(V1Container initContainer) => initContainer.RestartPolicy != "Always";

    private static bool HaveInitsEnded(V1Pod pod)
    {
        if (pod.Spec.InitContainers?.Any(Ends) is not true)
            return false;
        // Some kubelets report an app container before the last init container's end.
        if (pod.Status?.ContainerStatuses?.Any(HasRun) is true)
            return true;
        var statuses = pod.Status?.InitContainerStatuses ?? [];
        return pod.Spec.InitContainers.Where(Ends)
            .All(c => statuses.Any(s => s.Name == c.Name && s.State?.Terminated is { ExitCode: 0 }));
    }

    private static bool HasRun(V1ContainerStatus status) =>
        status.Started is true || status.State?.Running is not null
        || status.State?.Terminated?.StartedAt is not null || status.LastState?.Terminated?.StartedAt is not null;

    /// <summary>What the annotations say that a pod with a node holds; null when they say nothing.</summary>
    public static ForeignShares? ForeignSharesOf(V1Pod pod, NvidiaConfig nvidia)
    {
        if (pod.GetAnnotation(HamiKeys.DevicesAllocated) is null)
            return null;
        try
        {
            return ForeignShares.Read(PodReading.Shape(pod, nvidia.ResourceNames), pod.Spec.NodeName, nvidia);
        }
        catch (FormatException e)
        {
            return new([], [], "", e.Message);
        }
    }
}
