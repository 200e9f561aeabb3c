using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.NodeAgent.Allocating;

/// <summary>A pod as the kubelet's pod-resources tell it: which containers hold which of our device ids.</summary>
/// <param name="Containers">App containers and sidecars; a plain init container is never listed.</param>
internal sealed record ListedPod(string Namespace, string Name, IReadOnlyDictionary<string, IReadOnlySet<string>> Containers);

/// <summary>A container's devices in the kubelet's checkpoint.</summary>
/// <param name="PreparedFor">Host path of the container's folder in the answer that the kubelet keeps; null when it names none.</param>
internal sealed record CheckpointEntry(string PodUid, string Container, IReadOnlySet<string> DeviceIds, string? PreparedFor)
{
    /// <param name="kept">Our answer of that time, or that of another plugin; null when the kubelet keeps none.</param>
    /// <param name="folderInside">Where containers see their folder, which says for whom an answer was made.</param>
    public CheckpointEntry(string podUid, string container, IReadOnlySet<string> deviceIds, ContainerAllocateResponse? kept, string folderInside)
        : this(podUid, container, deviceIds, kept?.Mounts.FirstOrDefault(m => m.ContainerPath == folderInside)?.HostPath)
    {
        HasAnswer = kept is not null;
        WritesItsFolder = kept?.Mounts.Any(m => m.ContainerPath == folderInside && !m.ReadOnly) is true;
        HostPaths = [.. kept?.Mounts.Select(m => m.HostPath) ?? []];
    }

    /// <summary>The kubelet keeps an answer at all.</summary>
    public bool HasAnswer { get; }

    /// <summary>The answer was HAMi's: its container may write into its folder.</summary>
    public bool WritesItsFolder { get; }

    /// <summary>What a restart of the container will mount.</summary>
    public IReadOnlyList<string> HostPaths { get; } = [];
}
