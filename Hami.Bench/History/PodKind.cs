using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Bench.History;

/// <summary>One kind of pod that comes to the simulated cluster.</summary>
/// <param name="Weight">How often it comes.</param>
/// <param name="OwnerKind">What its pods belong to; null for pods of their own.</param>
/// <param name="Cards">Cards of its main container.</param>
/// <param name="MemoryMiB">Device memory of each; 0 for all of the card.</param>
/// <param name="Cores">Percent of each.</param>
/// <param name="InitMemoryMiB">Device memory of an init container; 0 for none.</param>
/// <param name="MedianHours">Half of them run shorter.</param>
internal sealed record PodKind(
    double Weight, string Name, string? OwnerKind, int Cards, long MemoryMiB, int Cores, double MedianHours, long InitMemoryMiB = 0)
{
    /// <summary>Shares of inference, notebooks, data preparation and training, which together ask for about nine tenths of the cards.</summary>
    public static readonly PodKind[] All =
    [
        new(40, "serve", "Deployment", 1, 8000, 20, 1),
        new(12, "embed", "Deployment", 1, 20000, 30, 3),
        new(10, "notebook", null, 1, 16000, 0, 4),
        new(15, "prepare", "Job", 1, 12000, 25, 0.5, InitMemoryMiB: 20000),
        new(15, "train", "Job", 1, 0, 100, 2.5),
        new(4, "train2", "Job", 2, 0, 100, 3.5),
        new(2.5, "train4", "Job", 4, 0, 100, 4),
        new(1, "train8", "Job", 8, 0, 100, 4),
        // More than any card has: refused until it is taken back.
        new(0.5, "huge", "Job", 1, 100_000, 0, 1),
    ];

    public static PodKind Any(Random chance)
    {
        var at = chance.NextDouble() * All.Sum(k => k.Weight);
        foreach (var kind in All)
        {
            if ((at -= kind.Weight) < 0)
                return kind;
        }
        return All[0];
    }

    public PodAsk Ask(string uid, string @namespace, string owner, string pod)
    {
        var main = new ContainerAsk("main", false, Cards, MemoryMiB, MemoryMiB == 0 ? 100 : 0, Cores);
        return new(
            uid, @namespace, pod, InitMemoryMiB == 0 ? [main] : [new("fetch", true, 1, InitMemoryMiB, 0, 0), main],
            CardWish.Any, NodePolicy.Binpack, CardPolicy.Spread, Owner: OwnerKind is null ? null : new WorkloadOwner(OwnerKind, owner));
    }
}
