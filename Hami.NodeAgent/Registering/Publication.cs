using Hami.Domain.Protocol;
using Hami.NodeAgent.Plumbing.Settings;

namespace Hami.NodeAgent.Registering;

/// <summary>The node's cards as the register annotation tells them.</summary>
internal static class Publication
{
    public static string Text(IReadOnlyList<Card> cards, NodeSettings settings) =>
        NodeRegister.Encode([.. cards.Select(card => new PublishedDevice
        {
            Id = card.Uuid,
            Index = card.Index,
            Count = card.Slots(settings.SplitCount),
            // An instance has its own memory and compute: nothing there is oversubscribed.
            MemoryMiB = card.Mig is null ? (long)(card.MemoryMiB * settings.MemoryScaling) : card.MemoryMiB,
            Cores = card.Mig is null ? (int)(100 * settings.CoreScaling) : 100,
            Type = CardType.Of(card.Model),
            Numa = card.Numa ?? 0,
            Mode = card.Mig is not null ? "mig" : settings.OperatingMode is "mps" ? "mps" : "hami-core",
            MigProfiles = card.Mig?.All,
            Health = card.Healthy,
        })]);
}
