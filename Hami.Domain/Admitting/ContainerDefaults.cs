using Hami.Domain.Placing;
using Hami.Domain.Protocol;

namespace Hami.Domain.Admitting;

/// <summary>HAMi's defaults of a container: a count where only a part of a card is asked, the whole card where no part is.</summary>
internal static class ContainerDefaults
{
    /// <summary>The container with its defaults, which are added to <paramref name="changes"/>.</summary>
    public static ContainerShape Complete(ContainerShape container, int position, NvidiaConfig nvidia, List<PodChange> changes)
    {
        var names = nvidia.ResourceNames;
        var count = container.Asked(names.Count);
        if (count is null && nvidia.DefaultGpuCount > 0
            && (container.Limits.ContainsKey(names.Memory) || container.Limits.ContainsKey(names.MemoryPercent) || container.Limits.ContainsKey(names.Cores)))
        {
            count = nvidia.DefaultGpuCount;
            container = With(container, names.Count, nvidia.DefaultGpuCount);
        }
        var isWhole = container.Asked(names.MemoryPercent) is { } percent ? percent == 100 : container.Asked(names.Memory) is null;
        return count > 0 && isWhole && container.Asked(names.Cores) is null ? With(container, names.Cores, ContainerAsk.WholeCard) : container;

        ContainerShape With(ContainerShape before, string resource, long value)
        {
            changes.Add(new PodChange.Limit(position, resource, value));
            return before with { Limits = new Dictionary<string, decimal>(before.Limits, StringComparer.Ordinal) { [resource] = value } };
        }
    }
}
