using Hami.Api.Plumbing.Kubernetes;
using Hami.Domain.Protocol;
using k8s.Models;

namespace Hami.Api.Registering;

/// <summary>What the API server says of a node now.</summary>
/// <param name="Uid">UID of the Kubernetes node.</param>
/// <param name="Ready">Whether its kubelet says that it is ready.</param>
/// <param name="NotReadyBecause">Why it is not, in its own words; null while it is ready.</param>
/// <param name="Schedulable">False when an admin cordoned the node as a whole.</param>
/// <param name="Address">Its address within the cluster, or whichever it has; null when it tells none.</param>
/// <param name="OsImage">Name and version of its operating system; empty when it does not tell, as the following.</param>
/// <param name="OperatingSystem">Kind of operating system, such as <c>linux</c>.</param>
/// <param name="KernelVersion">Version of its kernel.</param>
/// <param name="ContainerRuntimeVersion">What runs its containers, such as <c>containerd://2.1.4</c>.</param>
/// <param name="KubeletVersion">Version of its kubelet.</param>
/// <param name="KubeProxyVersion">Version of its kube-proxy; newer kubelets do not tell.</param>
/// <param name="Architecture">Such as <c>amd64</c>.</param>
/// <param name="CreatedAt">When it was registered with the API server.</param>
/// <param name="CpuMilli">CPU that pods may have, in thousandths of a core.</param>
/// <param name="HostMemoryMiB">Memory of the node's own that pods may have, in MiB.</param>
/// <param name="AgentVersion">Version of our node agent; null where HAMi's device plugin is.</param>
public sealed record NodeFacts(
    string Uid, bool Ready, string? NotReadyBecause, bool Schedulable, string? Address, string OsImage, string OperatingSystem, string KernelVersion,
    string ContainerRuntimeVersion, string KubeletVersion, string KubeProxyVersion, string Architecture, DateTimeOffset? CreatedAt, long? CpuMilli, long? HostMemoryMiB,
    string? AgentVersion)
{
    private const string ReadyCondition = "Ready";

    // Kubernetes bounds no message of a condition.
    private const int LongestReason = 500;

    internal static NodeFacts Of(V1Node node)
    {
        var (info, ready) = (node.Status?.NodeInfo, node.Status?.Conditions?.FirstOrDefault(c => c.Type == ReadyCondition));
        var isReady = ready?.Status == "True";
        return new(
            node.Uid() ?? "", isReady, isReady ? null : Why(ready), node.Spec?.Unschedulable is not true, AddressOf(node), info?.OsImage ?? "", info?.OperatingSystem ?? "", info?.KernelVersion ?? "",
            info?.ContainerRuntimeVersion ?? "", info?.KubeletVersion ?? "", info?.KubeProxyVersion ?? "", info?.Architecture ?? "",
            node.CreationTimestamp() is { } created ? new DateTimeOffset(created.ToUniversalTime()) : null,
            (long?)(Allocatable(node, "cpu") * 1000), (long?)(Allocatable(node, "memory") / (1 << 20)), node.GetAnnotation(HamiKeys.NodeAgent));
    }

    private static string Why(V1NodeCondition? ready)
    {
        var why = ready is null ? "its kubelet has not said so yet" : string.Join(": ", ((string?[])[ready.Reason, ready.Message]).Where(t => !string.IsNullOrEmpty(t)));
        return why.Length == 0 ? $"its condition Ready is {ready!.Status}" : why.Length > LongestReason ? $"{why[..LongestReason]}…" : why;
    }

    private static string? AddressOf(V1Node node)
    {
        var addresses = node.Status?.Addresses ?? [];
        return (addresses.FirstOrDefault(a => a.Type == "InternalIP") ?? addresses.FirstOrDefault(a => a.Type == "ExternalIP") ?? addresses.FirstOrDefault())?.Address;
    }

    private static decimal? Allocatable(V1Node node, string resource) =>
        node.Status?.Allocatable?.TryGetValue(resource, out var quantity) == true && Quantity.TryParse(quantity.ToString(), out var value)
            && value is >= 0 and <= long.MaxValue / 1000 ? value : null;
}
