using CsCheck;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Fragmentation;
using Hami.Tests.Given;

namespace Hami.Tests.Placing;

/// <summary>Random workloads, nodes and pods for the laws of the policy <c>fragmentation</c>.</summary>
internal static class FragmentationGens
{
    private static readonly Gen<HostRoom?> Host = Gen.Frequency(
        (1, Gen.Const((HostRoom?)null)), (3, Gen.Select(Gen.Int[0, 32], Gen.Int[0, 64]).Select((HostRoom? (c, m) => new(c * 1000, m * 1024)))));

    public static readonly Gen<WorkloadKind> Kind = Gen.Select(
        Gen.Int[1, 3], OneOf(0, 50, 110, 230, 470, 810, 1000), OneOf(10, 25, 50, 100), OneOf(0, 10, 50, 100), Host, OneOf("", "", "A", "B"))
        .Select((cards, memory, percent, cores, host, type) => new WorkloadKind(cards, memory, memory > 0 ? 0 : percent, cores, host, type));

    public static readonly Gen<WorkloadMix> Mix = Gen.Select(Kind, Gen.Int[1, 9]).Select((kind, weight) => new WorkloadWeight(kind, weight)).List[1, 6].Select(
        kinds => new WorkloadMix(kinds));

    private static readonly Gen<Share[]> Shares = Gen.Select(Gen.Int[0, 3], Gen.Int[0, 9], Gen.Int[0, 4]).Array[0, 8].Select(all => all
        .GroupBy(s => s.Item1)
        .SelectMany(card => card.Take(3).Select((s, i) => new Share(0, "c", false, $"card-{card.Key}", s.Item2 * 33, s.Item3 * 8)))
        .ToArray());

    public static readonly Gen<NodeUse> Node = Gen.Select(OneOf("A", "B"), Gen.Int[1, 10], Host, Shares).Select((model, slots, host, shares) =>
        NodeUse.Of(
            "n", NodeLedger.Empty with { Cards = [.. Enumerable.Range(0, 4).Select(i => Asks.Card($"card-{i}", model, 1000, Math.Max(3, slots), i))] }, host)
            .With(shares));

    public static readonly Gen<PodAsk> Pod = Kind.Select(kind =>
        Asks.Pod("p", kind.Cards, kind.MemoryMiB, kind.MemoryPercent, kind.Cores, FragmentationOfANode.Wish(kind), NodePolicy.Fragmentation, "fragmentation") with { Host = kind.Host });

    private static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);
}
