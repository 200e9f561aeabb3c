namespace Hami.Domain.Protocol;

/// <summary>Extended resource names a pod asks NVIDIA cards with; HAMi lets an admin rename each.</summary>
/// <param name="Count">Number of distinct cards.</param>
/// <param name="Memory">MiB of each card.</param>
/// <param name="MemoryPercent">Percent of each card's memory.</param>
/// <param name="Cores">Percent of each card's compute.</param>
/// <param name="Priority">Priority of the container's kernels: 0 high, 1 low.</param>
public sealed record ResourceNames(string Count, string Memory, string MemoryPercent, string Cores, string Priority)
{
    public static readonly ResourceNames Nvidia = new(
        "nvidia.com/gpu", "nvidia.com/gpumem", "nvidia.com/gpumem-percentage", "nvidia.com/gpucores", "nvidia.com/priority");

    /// <summary>HAMi's vendor word in device lists.</summary>
    public const string VendorWord = "NVIDIA";
}
