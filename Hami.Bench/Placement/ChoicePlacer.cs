using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Bench.Placement;

/// <summary>Places with the product's own choice.</summary>
internal sealed class ChoicePlacer(NodePolicy nodes, CardPolicy cards) : ITracePlacer
{
    public PodAsk Ask(TracePod pod) => TraceCluster.Ask(pod, nodes, cards);

    public FittingNode? Choose(PodAsk ask, IReadOnlyList<NodeUse> offered) => NodeChoice.Among(ask, offered, QuotaRoom.Unlimited).Best;
}
