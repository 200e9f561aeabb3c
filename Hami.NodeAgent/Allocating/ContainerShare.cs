using Hami.Domain.Protocol;

namespace Hami.NodeAgent.Allocating;

/// <summary>What one container of a pod was given by the scheduler; no device for one that asks for none.</summary>
/// <param name="IsInit">An init container; sidecars are among them.</param>
/// <param name="Unlimited">The container's own environment has a true <c>CUDA_DISABLE_CONTROL</c>: HAMi then leaves the library out.</param>
internal sealed record ContainerShare(string Name, bool IsInit, IReadOnlyList<ListedDevice> Devices, bool Unlimited);
