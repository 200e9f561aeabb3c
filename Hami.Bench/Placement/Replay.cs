using System.Diagnostics;
using Hami.Domain.Placing;

namespace Hami.Bench.Placement;

/// <summary>What one run found: percent of the cluster's cards allocated when 100 and 130 percent had been requested.</summary>
internal readonly record struct ReplayResult(double At100, double At130, int Decisions, TimeSpan Deciding);

/// <summary>Lets pods arrive one by one; none leaves, and one that does not fit is dropped.</summary>
internal static class Replay
{
    public static ReplayResult Run(IReadOnlyList<TraceNode> nodes, IReadOnlyList<TracePod> arriving, ITracePlacer placer)
    {
        var cluster = new TraceCluster(nodes);
        var capacity = CapacityMilli(nodes);
        long requested = 0, allocated = 0;
        double? at100 = null;
        var deciding = new Stopwatch();
        var offered = new List<NodeUse>();
        foreach (var pod in arriving)
        {
            requested += pod.AllMilli;
            var ask = placer.Ask(pod);
            cluster.Offer(ask, offered);
            deciding.Start();
            var place = placer.Choose(ask, offered);
            deciding.Stop();
            if (place is not null)
            {
                cluster.Place(ask, place);
                allocated += pod.AllMilli;
            }
            if (requested >= capacity)
                at100 ??= 100d * allocated / capacity;
        }
        return new(at100 ?? 100d * allocated / capacity, 100d * allocated / capacity, arriving.Count, deciding.Elapsed);
    }

    public static long CapacityMilli(IReadOnlyList<TraceNode> nodes) => nodes.Sum(n => (long)n.Cards * Trace.WholeCard);
}
