using System.Collections.Immutable;
using Hami.NodeAgent.Plumbing.Settings;

namespace Hami.NodeAgent.Partitioning;

/// <summary>MIG devices that the kubelet counts under one name.</summary>
internal sealed record MigResource(string Name, ImmutableArray<SeenMigDevice> Devices);

/// <summary>What is published of the MIG devices that others made: NVIDIA's strategies.</summary>
/// <param name="Faults">Why some are not, as sentences.</param>
internal sealed record StaticMig(ImmutableArray<MigResource> Resources, ImmutableArray<string> Faults)
{
    public static readonly StaticMig None = new([], []);

    /// <param name="cardResource">The resource that cards are shared under; the others are in its domain.</param>
    public static StaticMig Of(NodeSettings settings, SeenMigDevices seen, string cardResource)
    {
        var cards = seen.Cards.Where(c => !settings.Hidden.Has(c.Uuid, c.Index)).ToList();
        var devices = seen.Devices.Where(d => !settings.Hidden.Has(d.Card, d.CardIndex) && !settings.Hidden.Uuids.Contains(d.Uuid)).ToList();
        return settings.MigStrategy switch
        {
            MigStrategy.None => None,
            MigStrategy.Single => Single(cards, devices, cardResource),
            MigStrategy.Mixed => Mixed(cards, devices, cardResource),
            _ => throw new ArgumentOutOfRangeException(nameof(settings), settings.MigStrategy, "What is this strategy?"),
        };
    }

    private static StaticMig Single(List<SeenMigCard> cards, List<SeenMigDevice> devices, string cardResource)
    {
        if (!cards.Exists(c => c.InMigMode))
            return None;
        var fault =
            cards.Find(c => !c.InMigMode) is { } other
                ? $"The MIG strategy single wants all cards of a node in MIG mode or none, but {other.Uuid} is not; switch it (nvidia-smi -i {other.Index} -mig 1), or take the strategy mixed."
            : cards.Find(c => devices.TrueForAll(d => d.Card != c.Uuid)) is { } empty
                ? $"The MIG strategy single wants MIG devices on every card, but {empty.Uuid} has none; make some (nvidia-smi mig -cgi … -C), or take the strategy mixed."
            : devices.Find(d => d.Profile != devices[0].Profile || d.Attributes != devices[0].Attributes) is { } unlike
                ? $"The MIG strategy single wants all MIG devices of a node alike, but {devices[0].Uuid} is a {devices[0].Profile} and {unlike.Uuid} a {unlike.Profile}; make them alike, or take the strategy mixed."
            : null;
        return fault is null ? new([new(cardResource, [.. devices])], []) : new([], [$"{fault} Until then no devices are published."]);
    }

    private static StaticMig Mixed(List<SeenMigCard> cards, List<SeenMigDevice> devices, string cardResource) => new(
        [
            .. devices.Where(d => d.IsWhole).GroupBy(d => d.Profile).OrderBy(g => g.Key, StringComparer.Ordinal)
                .Select(g => new MigResource($"{cardResource[..cardResource.IndexOf('/')]}/mig-{g.Key.Replace('+', '.')}", [.. g])),
        ],
        [
            .. cards.Where(c => c.InMigMode && devices.TrueForAll(d => d.Card != c.Uuid))
                .Select(c => $"The card {c.Uuid} is in MIG mode and has no MIG device to publish; make some (nvidia-smi mig -cgi … -C)."),
            .. devices.Where(d => !d.IsWhole)
                .Select(d => $"The MIG device {d.Uuid} ({d.Profile}) is not published: it has only a part of its GPU instance's compute, for which Kubernetes has no resource."),
        ]);
}
