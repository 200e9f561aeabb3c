using Hami.Domain.Protocol;
using k8s.Models;

namespace Hami.Api.Observing;

/// <summary>What the watch last said of a pod, as far as the ledger cares.</summary>
internal sealed record SeenPod(string Uid, string Namespace, string Name, string Node, string Phase, bool IsBeingDeleted, string AllocationId, string BindPhase,
    int Priority = 0)
{
    public bool IsTerminal => Phase is "Succeeded" or "Failed";

    public static SeenPod Of(V1Pod pod) => new(
        pod.Uid(), pod.Namespace(), pod.Name(), pod.Spec.NodeName ?? "", pod.Status?.Phase ?? "", pod.Metadata.DeletionTimestamp is not null,
        pod.GetAnnotation(HamiKeys.AllocationId) ?? "", pod.GetAnnotation(HamiKeys.BindPhase) ?? "",
        pod.Spec.Priority ?? 0);
}
