using Hami.Domain.Protocol;

namespace Hami.Lab.Scheduler;

/// <summary>The extended resources an extender answers for and the scheduler itself ignores.</summary>
public static class ManagedResources
{
    /// <summary>HAMi's names for NVIDIA cards; all but the count are no node's, so a scheduler that did not ignore them would place nothing.</summary>
    public static readonly IReadOnlyList<string> Nvidia =
    [
        ResourceNames.Nvidia.Count,
        ResourceNames.Nvidia.Memory,
        ResourceNames.Nvidia.Cores,
        ResourceNames.Nvidia.MemoryPercent,
        "nvidia.com/priority",
    ];
}
