namespace Hami.Domain.Ledger;

/// <summary>One container's part of one card.</summary>
/// <param name="ContainerIndex">Position among the pod's containers, init containers first.</param>
/// <param name="Container">Name of the container.</param>
/// <param name="EndsBeforeApps">True for an init container that has ended when the app containers start.</param>
/// <param name="DeviceUuid">UUID of the physical card.</param>
/// <param name="MemoryMiB">Device memory in MiB.</param>
/// <param name="Cores">Percent of one card.</param>
/// <param name="Mig">The MIG instance, on a card in mode <c>mig</c>; else null.</param>
public sealed record Share(
    int ContainerIndex, string Container, bool EndsBeforeApps, string DeviceUuid, long MemoryMiB, int Cores, MigSlice? Mig = null);

/// <summary>A MIG instance to be made: profile and memory slices.</summary>
public sealed record MigSlice(string Profile, int Start, int Size);
