using System.Collections.Immutable;
using Hami.Domain.Ledger;

namespace Hami.NodeAgent.Registering;

/// <summary>What NVML told of a card's connections.</summary>
/// <param name="Address">Its PCI address, by which others name it.</param>
/// <param name="Direct">NVLinks to other cards, by their PCI address.</param>
/// <param name="ToSwitch">NVLinks to an NVSwitch.</param>
internal sealed record SeenLinks(string Uuid, string? Address, ImmutableDictionary<string, int> Direct, int ToSwitch)
{
    /// <summary>How far other cards are over PCIe, by UUID: NVML's <c>nvmlGpuTopologyLevel_t</c>.</summary>
    public ImmutableDictionary<string, int> Level { get; init; } = ImmutableDictionary<string, int>.Empty;
}

/// <summary>HAMi's pair scores: how well each two cards are connected.</summary>
/// <param name="Asymmetric">Pairs of which the ends do not agree, in order.</param>
internal sealed record PairScores(ImmutableArray<CardLink> Links, ImmutableArray<(string One, string Other)> Asymmetric)
{
    public static PairScores Of(IReadOnlyList<SeenLinks> cards)
    {
        var links = ImmutableArray.CreateBuilder<CardLink>();
        var asymmetric = ImmutableArray.CreateBuilder<(string, string)>();
        foreach (var from in cards)
            foreach (var to in cards.Where(c => c.Uuid != from.Uuid))
            {
                var (there, back) = (Direct(from, to), Direct(to, from));
                // A link has two ends: when one of them does not see it, none of it can be trusted.
                if (there != back && string.CompareOrdinal(from.Uuid, to.Uuid) < 0)
                    asymmetric.Add((from.Uuid, to.Uuid));
                var nvlinks = there > 0 ? there : Math.Min(from.ToSwitch, to.ToSwitch);
                links.Add(new(from.Uuid, to.Uuid, there != back ? 0 : Pcie(from, to) + 100 * nvlinks));
            }
        return new(links.ToImmutable(), asymmetric.ToImmutable());
    }

    private static int Direct(SeenLinks from, SeenLinks to) => to.Address is { } address ? from.Direct.GetValueOrDefault(address) : 0;

    private static int Pcie(SeenLinks from, SeenLinks to) => from.Level.TryGetValue(to.Uuid, out var level)
        ? level switch
        {
            0 => 60, // one board
            10 => 50, // one switch
            20 => 40, // several switches
            30 => 30, // one host bridge
            40 => 20, // one CPU
            50 => 10, // across CPUs
            _ => 0,
        }
        : 0;
}
