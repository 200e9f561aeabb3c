using Hami.Domain.Placing;

namespace Hami.Bench.Placement;

/// <summary>A policy under measurement.</summary>
internal interface ITracePlacer
{
    /// <summary>What the pod asks, under this policy.</summary>
    PodAsk Ask(TracePod pod);

    /// <summary>Chooses where the pod goes; null when none of the offered nodes can take it.</summary>
    FittingNode? Choose(PodAsk ask, IReadOnlyList<NodeUse> offered);
}
