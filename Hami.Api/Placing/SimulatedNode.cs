using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Domain.Registering;

namespace Hami.Api.Placing;

/// <summary>A node that exists only in somebody's plan.</summary>
internal static class SimulatedNode
{
    /// <summary>The node as its annotations describe it, empty; null when they name no usable cards.</summary>
    public static NodeUse? Of(string name, IReadOnlyDictionary<string, string> annotations)
    {
        try
        {
            if (!annotations.TryGetValue(HamiKeys.NodeRegister, out var register))
                return null;
            var links = annotations.TryGetValue(HamiKeys.NodeScore, out var scores) ? NodeScores.Decode(scores) : [];
            var registered = RegisterDevicesDecider.Decide(new(name, NodeRegister.Decode(register), links), NodeLedger.Empty);
            var cordoned = CordonDevicesDecider.Decide(new(Cordon.Decode(annotations.GetValueOrDefault(HamiKeys.DeviceCordon))), NodeLedger.Empty);
            return NodeUse.Of(name, registered.Events.Concat(cordoned.Events).Aggregate(NodeLedger.Empty, NodeLedger.Evolve));
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
