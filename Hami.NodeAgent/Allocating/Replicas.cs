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

    /// <summary>The card behind a replica; a card's UUID is its own, and NVIDIA's plugin has <c>::</c> before what is not the card's.</summary>
    public static string CardOf(string replica)
    {
        if (replica.IndexOf("::", StringComparison.Ordinal) is >= 0 and var mark)
            return replica[..mark];
        var at = replica.LastIndexOf('-');
        return at <= 0 || !replica.AsSpan(at + 1).ContainsAnyInRange('0', '9') || replica.AsSpan(at + 1).ContainsAnyExceptInRange('0', '9') || IsUuid(replica) ? replica : replica[..at];
    }

    // Its last part can be digits only.
    private static bool IsUuid(string text) => Guid.TryParseExact(text[(text.IndexOf('-') + 1)..], "D", out _);
}
