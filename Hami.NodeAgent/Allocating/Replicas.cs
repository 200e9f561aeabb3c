using Hami.NodeAgent.Plumbing.Settings;
using Hami.NodeAgent.Registering;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.NodeAgent.Allocating;

/// <summary>The kubelet counts whole devices, so every card is shown as many replicas <c>&lt;UUID&gt;-&lt;k&gt;</c>.</summary>
internal static class Replicas
{
    public static ListAndWatchResponse List(IEnumerable<Card> cards, NodeSettings settings)
    {
        var list = new ListAndWatchResponse();
        foreach (var card in cards)
            for (var k = 0; k < card.Slots(settings.SplitCount); k++)
                list.Devices.Add(new Device
                {
                    ID = $"{card.Uuid}-{k}",
                    Health = card.Healthy ? "Healthy" : "Unhealthy",
                    Topology = settings.NumaTopology && card.Numa is { } numa ? new() { Nodes = { new NUMANode { ID = numa } } } : null,
                });
        return list;
    }

    /// <summary>The card behind a replica.</summary>
    public static string CardOf(string replica) => replica.LastIndexOf('-') is > 0 and var at ? replica[..at] : replica;
}
