using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Domain.Quotas;

/// <summary>What a pod takes at least, wherever it is placed.</summary>
/// <remarks>
/// Init containers may use the cards of the others or cards of their own; the first takes less. Percentages depend on the card and
/// count nothing.
/// </remarks>
public static class LeastUse
{
    public static QuotaUse Of(PodAsk ask)
    {
        QuotaUse staying = QuotaUse.None, peak = QuotaUse.None;
        foreach (var container in ask.Containers)
        {
            var use = new QuotaUse(container.MemoryMiB * container.Count, (long)container.Cores * container.Count);
            if (container.EndsBeforeApps)
                peak = Larger(peak, staying + use);
            else
                staying += use;
        }
        return Larger(peak, staying);
    }

    private static QuotaUse Larger(QuotaUse a, QuotaUse b) => new(Math.Max(a.MemoryMiB, b.MemoryMiB), Math.Max(a.Cores, b.Cores));
}
