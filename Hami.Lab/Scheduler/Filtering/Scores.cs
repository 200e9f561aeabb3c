using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>kube-scheduler's default scores, 0 to 100 each, times their weights.</summary>
internal static class Scores
{
    private const long Most = 100;
    private const int TaintWeight = 3;
    private const int AffinityWeight = 2;

    public static long[] Of(V1Pod pod, PodRecord record, IReadOnlyList<NodeState> nodes)
    {
        var taints = Normalised([.. nodes.Select(n => NodeMatch.Reluctance(pod, n))], lessIsBetter: true);
        var affinity = Normalised(NodeMatch.HasPreferences(pod) ? [.. nodes.Select(n => NodeMatch.Preference(pod, n))] : new long[nodes.Count], lessIsBetter: false);
        var asksNothing = record.Asks is { MilliCpu: 0, MemoryBytes: 0 };
        var scores = new long[nodes.Count];
        for (var i = 0; i < nodes.Count; i++)
        {
            scores[i] = (TaintWeight * taints[i]) + (AffinityWeight * affinity[i]) + LeastAllocated(record, nodes[i]);
            // A pod that asks nothing unbalances nothing.
            if (!asksNothing)
                scores[i] += Balance(record, nodes[i]);
        }
        return scores;
    }

    /// <summary>The emptier the better: the mean of what stays free of CPU and memory.</summary>
    public static long LeastAllocated(PodRecord pod, NodeState node)
    {
        long sum = 0, weights = 0;
        Add(pod.AsksToCompare.MilliCpu + node.TakenToCompare.MilliCpu, node.Has.MilliCpu);
        Add(pod.AsksToCompare.MemoryBytes + node.TakenToCompare.MemoryBytes, node.Has.MemoryBytes);
        return weights == 0 ? 0 : sum / weights;

        void Add(long taken, long has)
        {
            if (has == 0)
                return;
            weights++;
            sum += taken > has ? 0 : (has - taken) * Most / has;
        }
    }

    /// <summary>The more evenly CPU and memory are used the better.</summary>
    public static long Balance(PodRecord pod, NodeState node)
    {
        if (node.Has.MilliCpu == 0 || node.Has.MemoryBytes == 0)
            return Most;
        var cpu = Math.Min(1, (double)(pod.Asks.MilliCpu + node.Taken.MilliCpu) / node.Has.MilliCpu);
        var memory = Math.Min(1, (double)(pod.Asks.MemoryBytes + node.Taken.MemoryBytes) / node.Has.MemoryBytes);
        return (long)((1 - (Math.Abs(cpu - memory) / 2)) * Most);
    }

    private static long[] Normalised(long[] counts, bool lessIsBetter)
    {
        var highest = counts.Max();
        for (var i = 0; i < counts.Length; i++)
        {
            var share = highest == 0 ? 0 : Most * counts[i] / highest;
            counts[i] = lessIsBetter ? Most - share : share;
        }
        return counts;
    }
}
