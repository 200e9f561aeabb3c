namespace Hami.NodeAgent.Allocating;

/// <summary>A pod as the kubelet's pod-resources tell it: which containers hold which of our device ids.</summary>
/// <param name="Containers">App containers and sidecars; a plain init container is never listed.</param>
internal sealed record ListedPod(string Namespace, string Name, IReadOnlyDictionary<string, IReadOnlySet<string>> Containers);

/// <summary>A container's devices in the kubelet's checkpoint.</summary>
/// <param name="PreparedFor">Host path of the container directory in the answer that the kubelet keeps; null when it keeps none.</param>
internal sealed record CheckpointEntry(string PodUid, string Container, IReadOnlySet<string> DeviceIds, string? PreparedFor);
