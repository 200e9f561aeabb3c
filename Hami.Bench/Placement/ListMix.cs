using Hami.Domain.Placing.Fragmentation;

namespace Hami.Bench.Placement;

/// <summary>The typical workload as somebody who knows the pod list would configure it.</summary>
internal static class ListMix
{
    public static WorkloadMix Of(IEnumerable<TracePod> pods) => new(
        [.. pods.Where(p => p.Cards > 0).GroupBy(Kind).Select(g => new WorkloadWeight(g.Key, g.Count()))]);

    public static WorkloadKind Kind(TracePod pod) => new(pod.Cards, pod.CardMilli, 0, 0, TraceCluster.Host(pod), string.Join(',', pod.Models));
}
