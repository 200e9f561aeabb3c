using System.Text.Json;
using Hami.Domain.Protocol;

namespace Hami.Lab.Cluster;

/// <summary>A card of a lab node, as its fake driver and its node agent both describe it.</summary>
/// <param name="Index">Position in the node, from 0.</param>
/// <param name="Uuid">The card's UUID, the same at every start.</param>
/// <param name="Model">The name the driver gives it.</param>
/// <param name="MemoryMiB">Its memory in MiB.</param>
/// <param name="Multiprocessors">Its streaming multiprocessors.</param>
/// <param name="Numa">The NUMA node it hangs on.</param>
public sealed record LabCard(int Index, string Uuid, string Model, long MemoryMiB, int Multiprocessors, int Numa)
{
    /// <summary>Where it sits, as NVML writes it.</summary>
    public string BusId => $"00000000:{(Numa + 1) * 32 + Index:X2}:00.0";

    /// <summary>What it can be cut into, when it is in MIG mode; null when it is not. See <see cref="MigCards"/>.</summary>
    public IReadOnlyList<PublishedMigProfile>? MigProfiles { get; init; }
}

/// <summary>A node of the lab and its cards.</summary>
public sealed record LabNode(string Name, IReadOnlyList<LabCard> Cards)
{
    /// <summary>Its folder's name in the lab's directory; short, as paths of unix sockets are.</summary>
    public string Folder { get; init; } = Name;

    /// <summary>The article's machine, and two of other kinds beside it.</summary>
    public static readonly IReadOnlyList<LabNode> Three =
    [
        Of(1, 8, "NVIDIA GeForce RTX 4090", "4090", 24564, 128),
        Of(2, 4, "NVIDIA A100-SXM4-40GB", "a100", 40960, 108),
        Of(3, 4, "Tesla V100-SXM2-32GB", "100", 32768, 80),
    ];

    /// <summary>Nodes whose cards are in MIG mode, for pods that ask for instances.</summary>
    public static readonly IReadOnlyList<LabNode> WithMigCards =
    [
        Of(1, 2, "NVIDIA A100-SXM4-40GB", "ca100", 40960, 108, "m").WithMig(MigCards.A100With40GB),
        Of(2, 2, "NVIDIA A100-SXM4-80GB", "ca100", 81920, 108, "m").WithMig(MigCards.A100With80GB),
    ];

    /// <summary>Nodes beside the three, all of eight cards: <c>n4</c>, <c>n5</c> … up to <c>n</c><paramref name="total"/>.</summary>
    public static IReadOnlyList<LabNode> Beside(int total) =>
    [
        .. Enumerable.Range(Three.Count + 1, Math.Max(0, total - Three.Count)).Select(number => (number % 3) switch
        {
            1 => Of(number, 8, "NVIDIA GeForce RTX 4090", "4090", 24564, 128),
            2 => Of(number, 8, "NVIDIA A100-SXM4-40GB", "a100", 40960, 108),
            _ => Of(number, 8, "Tesla V100-SXM2-32GB", "100", 32768, 80),
        }),
    ];

    // deploy/examples names some of these UUIDs: they say kind, node and position, and never change.
    private static LabNode Of(int number, int cards, string model, string kind, long memoryMiB, int multiprocessors, string name = "n") => new(
        $"{name}{number}",
        [
            .. Enumerable.Range(0, cards).Select(index => new LabCard(
                index,
                $"GPU-{kind.PadLeft(8, '0')}-{number:x4}-4000-8000-{index:x12}",
                model,
                memoryMiB,
                multiprocessors,
                Numa: index * 2 / cards)),
        ]);

    /// <summary>What the fake driver reads from the file in <c>HAMI_FAKE_DRIVER</c>.</summary>
    public string AsDriverFile() => string.Concat(Cards.Select(card =>
        $"{card.Uuid};{card.Model};{card.MemoryMiB};{card.Multiprocessors};bus={card.BusId};path=cpu{card.Numa}/bridge{card.Index}/switch{card.Index}/board{card.Index}{MigMode(card)}\n"));

    private static string MigMode(LabCard card) => card.MigProfiles is not null ? ";mig=on" : card.Model.Contains("A100", StringComparison.Ordinal) ? ";mig=off" : "";

    /// <summary>The same node, its cards in MIG mode.</summary>
    public LabNode WithMig(IReadOnlyList<PublishedMigProfile> profiles) => this with { Cards = [.. Cards.Select(card => card with { MigProfiles = profiles })] };

    /// <summary>What the node agent reads with <c>--simulate</c>.</summary>
    public string AsAgentFile() =>
        "devices:\n" + string.Concat(Cards.Select(card =>
            $"  - {{ uuid: {card.Uuid}, model: \"{card.Model}\", memoryMiB: {card.MemoryMiB}, numa: {card.Numa}{Mig(card)} }}\n"));

    // JSON is YAML too.
    private static string Mig(LabCard card) => card.MigProfiles is null ? "" : $", mode: mig, migProfiles: {JsonSerializer.Serialize(card.MigProfiles)}";
}
