using Hami.Domain.Placing;

namespace Hami.Bench.Placement;

/// <summary>Places with the product's own choice among the nodes whose host has room, as kube-scheduler would offer them.</summary>
internal sealed class ChoicePlacer(Packing packing) : ITracePlacer
{
    private readonly List<NodeUse> _offered = [];
    private readonly Dictionary<string, int> _byName = new(StringComparer.Ordinal);

    public TracePlace? Choose(TraceCluster cluster, TracePod pod)
    {
        if (_byName.Count == 0)
        {
            for (var i = 0; i < cluster.Count; i++)
                _byName.Add(cluster.Nodes[i].Name, i);
        }
        var host = TraceCluster.Host(pod);
        _offered.Clear();
        for (var i = 0; i < cluster.Count; i++)
        {
            if (cluster.Hosts[i].Holds(host))
                _offered.Add(cluster.Nodes[i]);
        }
        var choice = NodeChoice.Among(TraceCluster.Ask(pod, packing), _offered);
        return choice.BestFirst.Count == 0 ? null : new(_byName[choice.BestFirst[0].Node.Name], choice.BestFirst[0].Shares);
    }
}
