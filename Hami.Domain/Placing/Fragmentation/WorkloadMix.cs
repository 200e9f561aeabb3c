using System.Globalization;

namespace Hami.Domain.Placing.Fragmentation;

/// <summary>One kind of pod: what it asks of each of its cards and of the host.</summary>
/// <param name="Cards">Number of distinct cards, at least 1.</param>
/// <param name="MemoryMiB">Device memory per card in MiB; 0 when asked by percent.</param>
/// <param name="MemoryPercent">Percent of the card's memory; used when <paramref name="MemoryMiB"/> is 0.</param>
/// <param name="Cores">Percent of one card; 0 reserves none.</param>
/// <param name="Host">What the pod requests of the host; null when that is not known.</param>
/// <param name="UseTypes">Allowed models as in <c>nvidia.com/use-gputype</c>; empty allows any.</param>
/// <param name="AvoidTypes">Models not allowed, as in <c>nvidia.com/nouse-gputype</c>.</param>
public sealed record WorkloadKind(
    int Cards, long MemoryMiB, int MemoryPercent, int Cores, HostRoom? Host = null, string UseTypes = "", string AvoidTypes = "");

/// <summary>A kind of pod and how often it comes, relative to the other kinds.</summary>
public sealed record WorkloadWeight(WorkloadKind Kind, double Weight);

/// <summary>The typical workload: which kinds of pods come, and how often.</summary>
public sealed record WorkloadMix(IReadOnlyList<WorkloadWeight> Kinds)
{
    /// <summary>What is assumed of a cluster about which nothing is known: mostly whole cards, some halves and quarters.</summary>
    public static readonly WorkloadMix Assumed = new(
    [
        new(new(1, 0, 100, 0), 5),
        new(new(1, 0, 50, 0), 3),
        new(new(1, 0, 25, 0), 2),
        new(new(2, 0, 100, 0), 0.3),
        new(new(4, 0, 100, 0), 0.2),
        new(new(8, 0, 100, 0), 0.5),
    ]);

    // More is slow to measure and says little more.
    private const int MostKinds = 1024;

    /// <summary>What is wrong with a mix that somebody wrote, in a sentence that says how to mend it; null when it can be used.</summary>
    public string? Problem()
    {
        if (Kinds.Count is 0 or > MostKinds)
            return $"The typical workload has {Kinds.Count} kinds of pods; give it 1 to {MostKinds}.";
        for (var i = 0; i < Kinds.Count; i++)
        {
            var (kind, weight) = Kinds[i];
            var rule = kind.Cards is < 1 or > PodAskParser.MaxCards ? $"cards is {kind.Cards}, but it must be 1 to {PodAskParser.MaxCards}"
                : kind.MemoryMiB < 0 ? $"memoryMiB is {kind.MemoryMiB}, but it must be 0 (asked by percent) or more"
                : kind.MemoryMiB == 0 && kind.MemoryPercent is < 1 or > 100 ? $"memoryPercent is {kind.MemoryPercent}, but without memoryMiB it must be 1 to 100"
                : kind.Cores is < 0 or > ContainerAsk.WholeCard ? $"cores is {kind.Cores}, but it must be 0 to {ContainerAsk.WholeCard}"
                : kind.Host is { CpuMilli: < 0 } or { MemoryMiB: < 0 } ? "the host's CPU and memory must be 0 or more"
                : !double.IsFinite(weight) || weight <= 0 ? string.Create(CultureInfo.InvariantCulture, $"weight is {weight}, but it must be more than 0")
                : null;
            if (rule is not null)
                return $"Kind {i + 1} of the typical workload: {rule}.";
        }
        return null;
    }
}
