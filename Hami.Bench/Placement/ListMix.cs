using Hami.Domain.Placing;
using Hami.Domain.Placing.Fragmentation;

namespace Hami.Bench.Placement;

/// <summary>The typical workload as somebody who knows the pod list would configure it.</summary>
internal static class ListMix
{
    public static WorkloadMix Of(IEnumerable<TracePod> pods) => new(
    [
        .. pods.SelectMany(p => WorkloadKinds.Of(TraceCluster.Ask(p, NodePolicy.Fragmentation, CardPolicy.Binpack)))
            .GroupBy(k => k)
            .Select(g => new WorkloadWeight(g.Key, g.Count())),
    ]);
}
