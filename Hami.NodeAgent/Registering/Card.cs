namespace Hami.NodeAgent.Registering;

/// <summary>One physical card of this node.</summary>
/// <param name="Model">Product name as NVML tells it.</param>
/// <param name="MemoryMiB">Real memory, before any scaling.</param>
/// <param name="Numa">NUMA node; null when unknown.</param>
internal sealed record Card(string Uuid, string Model, long MemoryMiB, int? Numa, bool Healthy);
