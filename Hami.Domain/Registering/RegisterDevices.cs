using Hami.Domain.Ledger;
using Hami.Domain.Protocol;

namespace Hami.Domain.Registering;

/// <summary>Take over the cards a node agent published.</summary>
/// <param name="Links">How well they are connected; empty when the agent does not say.</param>
public sealed record RegisterDevices(string Node, IReadOnlyList<PublishedDevice> Published, IReadOnlyList<CardLink> Links);

public static class RegisterDevicesDecider
{
    /// <summary>An event only when the content differs from what is known; the order of the array does not count.</summary>
    public static Verdict<NodeEvent> Decide(RegisterDevices command, NodeLedger node)
    {
        var cards = command.Published.Select(AsCard).OrderBy(c => c.Index).ThenBy(c => c.Uuid, StringComparer.Ordinal).ToArray();
        return cards.SequenceEqual(node.Cards) && command.Links.SequenceEqual(node.Links)
            ? Verdict<NodeEvent>.Nothing
            : new NodeEvent.DevicesRegistered(command.Node, cards, command.Links.Count == 0 ? null : command.Links);
    }

    private static Card AsCard(PublishedDevice d) =>
        new(d.Id, d.Index, d.Type, d.MemoryMiB, d.Cores, d.Count, d.Numa, d.Mode, d.Health, d.MigProfiles is { Count: > 0 } ? [.. d.MigProfiles.Select(AsProfile)] : null);

    private static MigProfile AsProfile(PublishedMigProfile p) =>
        new(p.Name, p.MemoryMiB, p.Cores, p.Slices, [.. p.Placements.Select(x => new MigPlacement(x.Start, x.Size))]);
}
