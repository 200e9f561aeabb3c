using Hami.Domain.Ledger;
using Hami.Domain.Protocol;

namespace Hami.Domain.Registering;

/// <summary>Take over the cards a node agent published.</summary>
public sealed record RegisterDevices(string Node, IReadOnlyList<PublishedDevice> Published);

public static class RegisterDevicesDecider
{
    /// <summary>An event only when the content differs from what is known; the order of the array does not count.</summary>
    public static Verdict<NodeEvent> Decide(RegisterDevices command, NodeLedger node)
    {
        var cards = command.Published.Select(AsCard).OrderBy(c => c.Index).ThenBy(c => c.Uuid, StringComparer.Ordinal).ToArray();
        return cards.SequenceEqual(node.Cards)
            ? Verdict<NodeEvent>.Nothing
            : new NodeEvent.DevicesRegistered(command.Node, cards);
    }

    private static Card AsCard(PublishedDevice d) =>
        new(d.Id, d.Index, d.Type, d.MemoryMiB, d.Cores, d.Count, d.Numa, d.Mode, d.Health);
}
