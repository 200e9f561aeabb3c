using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Fragmentation;

namespace Hami.Bench.Placement;

/// <summary>Places with the product's own choice.</summary>
internal sealed class ChoicePlacer(NodePolicy nodes, CardPolicy cards, FragmentationPolicy typical) : ITracePlacer
{
    private Terms _terms = new(QuotaRoom.Unlimited, typical);

    /// <summary>Replaces the typical workload when it is learned anew.</summary>
    public void Learn(FragmentationPolicy learned) => _terms = new(QuotaRoom.Unlimited, learned);

    public PodAsk Ask(TracePod pod) => TraceCluster.Ask(pod, nodes, cards);

    public FittingNode? Choose(PodAsk ask, IReadOnlyList<NodeUse> offered) => NodeChoice.Among(ask, offered, _terms).Best;
}
