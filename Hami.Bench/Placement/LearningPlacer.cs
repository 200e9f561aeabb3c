using Hami.Domain.Placing;
using Hami.Domain.Placing.Fragmentation;

namespace Hami.Bench.Placement;

/// <summary>The policy <c>fragmentation</c> when it knows nothing but the pods that have arrived.</summary>
internal sealed class LearningPlacer(IReadOnlyDictionary<string, int> cardsByModel) : ITracePlacer
{
    private readonly ChoicePlacer _placer = new(NodePolicy.Fragmentation, new("fragmentation"), new(new(LearnedWorkload.Empty.Mix(), cardsByModel)));
    private LearnedWorkload _learned = LearnedWorkload.Empty;
    private long _told;

    public PodAsk Ask(TracePod pod) => _placer.Ask(pod);

    public FittingNode? Choose(PodAsk ask, IReadOnlyList<NodeUse> offered)
    {
        var place = _placer.Choose(ask, offered);
        foreach (var kind in WorkloadKinds.Of(ask))
        {
            _learned = _learned.With(kind);
            if (!_learned.IsNewsSince(_told))
                continue;
            _placer.Learn(new(new(_learned.Mix(), cardsByModel)));
            _told = _learned.Asks;
        }
        return place;
    }
}
