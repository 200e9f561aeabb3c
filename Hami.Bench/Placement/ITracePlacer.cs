using Hami.Domain.Ledger;

namespace Hami.Bench.Placement;

/// <summary>Where a pod goes.</summary>
internal readonly record struct TracePlace(int Node, IReadOnlyList<Share> Shares);

/// <summary>A policy under measurement, with a cluster of its own.</summary>
internal interface ITracePlacer
{
    /// <summary>Chooses where the pod goes; null when no node can take it.</summary>
    TracePlace? Choose(TraceCluster cluster, TracePod pod);
}
