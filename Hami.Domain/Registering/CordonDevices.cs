using Hami.Domain.Ledger;

namespace Hami.Domain.Registering;

/// <summary>Take over which cards of a node an admin took out of placement.</summary>
public sealed record CordonDevices(IReadOnlySet<string> Uuids);

public static class CordonDevicesDecider
{
    /// <summary>One event for each card whose state changes; a UUID the node does not have counts should it come.</summary>
    public static Verdict<NodeEvent> Decide(CordonDevices command, NodeLedger node) => new(
        [
            .. command.Uuids.Where(u => !node.Cordoned.Contains(u)).Order(StringComparer.Ordinal).Select(u => new NodeEvent.DeviceCordoned(u)),
            .. node.Cordoned.Where(u => !command.Uuids.Contains(u)).Order(StringComparer.Ordinal).Select(u => new NodeEvent.DeviceUncordoned(u)),
        ],
        null);
}
