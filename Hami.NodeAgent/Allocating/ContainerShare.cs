using Hami.Domain.Protocol;

namespace Hami.NodeAgent.Allocating;

/// <summary>What one container of a pod was given by the scheduler; no device for one that asks for none.</summary>
/// <param name="IsInit">An init container; sidecars are among them.</param>
/// <param name="Unlimited">The container's own environment has a true <c>CUDA_DISABLE_CONTROL</c>: HAMi then leaves the library out.</param>
internal sealed record ContainerShare(string Name, bool IsInit, IReadOnlyList<ListedDevice> Devices, bool Unlimited)
{
    /// <summary>0 is high, 1 low: <c>CUDA_TASK_PRIORITY</c>, which admission writes from <c>nvidia.com/priority</c> and which anybody may ask.</summary>
    public int Priority { get; init; } = 1;

    /// <summary><c>GPU_CORE_UTILIZATION_POLICY</c> of the container; null when it has none.</summary>
    public string? CorePolicy { get; init; }
}
