using System.Collections.Immutable;
using System.Globalization;
using Hami.Domain.Protocol;

namespace Hami.NodeAgent.Plumbing.Settings;

/// <summary>How this node shares its cards: HAMi's words, with the values HAMi ships.</summary>
internal sealed record NodeSettings
{
    /// <summary>The extended resource that stands for cards; read once, at the start.</summary>
    public string ResourceName { get; init; } = "nvidia.com/gpu";

    /// <summary>How many containers may share one card.</summary>
    public int SplitCount { get; init; } = 10;

    /// <summary>Memory published for each MiB a card has; above 1 oversubscribes.</summary>
    public double MemoryScaling { get; init; } = 1;

    /// <summary>Compute published for each card.</summary>
    public double CoreScaling { get; init; } = 1;

    /// <summary>Memory in MiB of a card that shares the host's and names none; 0 leaves such a card out.</summary>
    public long PreConfiguredMemoryMiB { get; init; }

    /// <summary>Level of the library's log in containers (<c>LIBCUDA_LOG_LEVEL</c>); null for the library's own.</summary>
    public string? LibCudaLogLevel { get; init; }

    /// <summary>Whether the kubelet is told on which NUMA node a card is.</summary>
    public bool NumaTopology { get; init; }

    /// <summary>Whether compute is not limited in containers.</summary>
    public bool DisableCoreLimit { get; init; }

    /// <summary><c>hami-core</c>, <c>mig</c> or <c>mps</c>; null leaves it to each card, by whether it is in MIG mode.</summary>
    public string? OperatingMode { get; init; }

    /// <summary>What becomes of MIG devices that somebody else made.</summary>
    public MigStrategy MigStrategy { get; init; }

    /// <summary>Whether the kubelet is told which replicas the scheduler chose.</summary>
    public bool PreferredAllocation { get; init; } = true;

    /// <summary>Cards that are neither published nor handed out.</summary>
    public HiddenCards Hidden { get; init; } = HiddenCards.None;

    /// <summary>MIG profiles that may be made, by card model.</summary>
    public MigAllowlist MigProfiles { get; init; } = MigAllowlist.BuiltIn;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{SplitCount} containers a card, memory x {MemoryScaling}, cores x {CoreScaling}, {PreConfiguredMemoryMiB} MiB for cards that tell none, log level {LibCudaLogLevel ?? "of the library"}, "
        + $"NUMA {(NumaTopology ? "told" : "not told")}, cores {(DisableCoreLimit ? "not limited" : "limited")}, mode {OperatingMode ?? "of each card"}, MIG strategy {MigStrategy}, "
        + $"preferred allocation {(PreferredAllocation ? "on" : "off")}, hidden {Hidden}");
}

/// <summary>NVIDIA's strategies for static MIG devices.</summary>
internal enum MigStrategy
{
    /// <summary>They are not published.</summary>
    None,

    /// <summary>All are alike and stand for cards.</summary>
    Single,

    /// <summary>Each profile is a resource of its own.</summary>
    Mixed,
}

/// <summary>HAMi's <c>filterdevices</c>.</summary>
internal sealed record HiddenCards(ImmutableHashSet<string> Uuids, ImmutableHashSet<int> Indices)
{
    public static readonly HiddenCards None = new([], []);

    public bool Has(string uuid, int index) => Uuids.Contains(uuid) || Indices.Contains(index);

    public override string ToString() => Uuids.IsEmpty && Indices.IsEmpty ? "none" : string.Join(", ", Indices.Order().Select(i => i.ToString(CultureInfo.InvariantCulture)).Concat(Uuids.Order(StringComparer.Ordinal)));

    public bool Equals(HiddenCards? other) => other is not null && Uuids.SetEquals(other.Uuids) && Indices.SetEquals(other.Indices);

    public override int GetHashCode() => HashCode.Combine(Uuids.Count, Indices.Count);
}

/// <summary>MIG profiles that may be made, by card model; equal when they say the same.</summary>
internal sealed class MigAllowlist(IReadOnlyList<MigProfileAllowance> all) : IEquatable<MigAllowlist>
{
    /// <summary>HAMi's, and the same cards by the names that NVML has for them.</summary>
    public static readonly MigAllowlist BuiltIn = new(
    [
        .. NvidiaConfig.Hami.MigProfileAllowlist,
        new(["H100 80GB HBM3", "H100 PCIe"], ["1g.10gb", "2g.20gb", "3g.40gb", "7g.80gb"]),
        new(["H100 NVL"], ["1g.12gb", "2g.24gb", "3g.47gb", "7g.94gb"]),
        new(["H200"], ["1g.18gb", "2g.35gb", "3g.71gb", "7g.141gb"]),
    ]);

    private readonly string text = string.Join('\n', all.Select(a => $"{string.Join('|', a.Models)}:{string.Join('|', a.Profiles)}"));

    /// <summary>The profiles of a card; null for a model that is not listed.</summary>
    /// <remarks>HAMi takes the first entry of which a word is part of the name, and so gives an H200 the profiles of an H20.</remarks>
    public IReadOnlyList<string>? Of(string model)
    {
        var bare = model.StartsWith("NVIDIA ", StringComparison.Ordinal) ? model["NVIDIA ".Length..] : model;
        return (all.FirstOrDefault(a => a.Models.Any(m => m == model || m == bare)) ?? all.FirstOrDefault(a => a.Models.Any(m => IsPart(m, model))))?.Profiles;
    }

    public bool Equals(MigAllowlist? other) => text == other?.text;

    public override bool Equals(object? obj) => Equals(obj as MigAllowlist);

    public override int GetHashCode() => StringComparer.Ordinal.GetHashCode(text);

    // A whole word: neither a letter nor a digit goes on before or after it.
    private static bool IsPart(string word, string model)
    {
        for (var at = model.IndexOf(word, StringComparison.Ordinal); at >= 0; at = model.IndexOf(word, at + 1, StringComparison.Ordinal))
            if ((at == 0 || !char.IsAsciiLetterOrDigit(model[at - 1])) && (at + word.Length == model.Length || !char.IsAsciiLetterOrDigit(model[at + word.Length])))
                return true;
        return false;
    }
}
