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
            Count = options.SplitCount,
            MemoryMiB = (long)(card.MemoryMiB * options.MemoryScaling),
            Cores = (int)(100 * options.CoreScaling),
            Type = card.Model.StartsWith("NVIDIA", StringComparison.Ordinal) ? card.Model : $"NVIDIA-{card.Model}",
            Numa = card.Numa ?? 0,
            Mode = "hami-core",
            Health = card.Healthy,
        })]);
}
