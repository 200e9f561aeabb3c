using Hami.Domain.Protocol;
using Hami.NodeAgent.Plumbing;

namespace Hami.NodeAgent.Registering;

/// <summary>The node's cards as the register annotation tells them.</summary>
internal static class Publication
{
    public static string Text(IReadOnlyList<Card> cards, AgentOptions options) =>
        NodeRegister.Encode([.. cards.Select((card, index) => new PublishedDevice
        {
            Id = card.Uuid,
            Index = index,
            Count = card.Slots(options.SplitCount),
            MemoryMiB = (long)(card.MemoryMiB * options.MemoryScaling),
            // An instance has its own compute: nothing there is oversubscribed.
            Cores = card.Mig is null ? (int)(100 * options.CoreScaling) : 100,
            Type = CardType.Of(card.Model),
            Numa = card.Numa ?? 0,
            Mode = card.Mig is null ? "hami-core" : "mig",
            MigProfiles = card.Mig?.All,
            Health = card.Healthy,
        })]);
}
