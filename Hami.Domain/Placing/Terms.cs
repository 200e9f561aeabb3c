using Hami.Domain.Ledger;
using Hami.Domain.Placing.Fragmentation;

namespace Hami.Domain.Placing;

/// <summary>What a decision depends on beside the pod and the nodes.</summary>
/// <param name="Quota">What the pod's namespace may still take.</param>
/// <param name="Typical">What leftovers are good for, by the typical workload; also knows which asks are alike.</param>
public sealed record Terms(QuotaRoom Quota, FragmentationPolicy Typical)
{
    /// <summary>No quota, and the workload that is assumed where nothing is known.</summary>
    public static readonly Terms Plain = new(QuotaRoom.Unlimited, new(new(WorkloadMix.Assumed, new Dictionary<string, int>(StringComparer.Ordinal))));

    /// <summary>The same without the quota when no way to serve the pod could exceed it.</summary>
    /// <param name="largestCardMiB">Device memory of the largest card there is: no share of a card is larger.</param>
    public Terms For(PodAsk ask, long largestCardMiB)
    {
        if (Quota.IsUnlimited)
            return this;
        long memoryMiB = 0, cores = 0;
        foreach (var container in ask.Containers)
        {
            // A MIG instance may be larger than what was asked.
            memoryMiB += container.Count * largestCardMiB;
            cores += container.Count * (long)ContainerAsk.WholeCard;
        }
        return Quota.Holds(new(memoryMiB, cores)) ? this with { Quota = QuotaRoom.Unlimited } : this;
    }
}
