namespace Hami.Api.Reading;

/// <summary>The cards, or their holders, that are asked about; with nothing given, all cards and everybody.</summary>
public sealed class HeldOf
{
    /// <summary>Only cards of this node.</summary>
    public string? Node { get; init; }

    /// <summary>Only the card of this UUID.</summary>
    public string? DeviceUuid { get; init; }

    /// <summary>Only what pods of this namespace hold.</summary>
    public string? Namespace { get; init; }
}

/// <summary>What was allocated over time, by the ledger.</summary>
/// <param name="From">Where it begins: at a whole step.</param>
/// <param name="To">Where it ends: now at the latest.</param>
/// <param name="StepSeconds">Seconds from one point to the next.</param>
/// <param name="Points">One for each step, in order of time.</param>
public sealed record AllocationTrend(DateTimeOffset From, DateTimeOffset To, int StepSeconds, IReadOnlyList<AllocationPoint> Points);

/// <summary>What there was, and what was held of it, at one moment; what happened at the moment counts.</summary>
/// <param name="At">The moment.</param>
/// <param name="Devices">Cards that there were; where a namespace is asked about, all the same of everybody.</param>
/// <param name="MemoryMiB">Their device memory in MiB, memory scaling applied.</param>
/// <param name="Cores">Their compute in percent; 100 is one whole card.</param>
/// <param name="Slots">How many containers may share them.</param>
/// <param name="UsedMemoryMiB">Device memory in MiB held of these cards.</param>
/// <param name="UsedCores">Percent of compute held of these cards; a pod that asked for none holds none.</param>
/// <param name="UsedSlots">How many containers shared these cards.</param>
/// <param name="Pods">How many pods held a part of them; also of those that their node had no more.</param>
public sealed record AllocationPoint(
    DateTimeOffset At, int Devices, long MemoryMiB, long Cores, int Slots, long UsedMemoryMiB, long UsedCores, int UsedSlots, int Pods);
