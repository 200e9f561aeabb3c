using System.Globalization;
using Hami.Domain.Ledger;
using Hami.Domain.Protocol;

namespace Hami.Domain.Quotas;

/// <summary>A ResourceQuota as it stands in the cluster.</summary>
/// <param name="Hard"><c>spec.hard</c> by key; null where the value cannot be read.</param>
public sealed record ObservedQuota(string Namespace, string Name, IReadOnlyDictionary<string, decimal?> Hard);

/// <summary>Reads what a ResourceQuota says about accelerators.</summary>
public static class ReadQuota
{
    private const string Limits = "limits.";

    // 4 PiB, were it MiB: no namespace may take that much, so it was written as bytes.
    private const decimal SmallestBytes = 1L << 32;
    private const decimal MiB = 1 << 20;

    /// <summary>The quota, null when it limits no accelerators; and a sentence on each value that does not say what its author means.</summary>
    /// <remarks>What cannot be read limits to nothing rather than not at all: who sets a quota does not want it ignored.</remarks>
    public static (NamespaceQuota? Quota, IReadOnlyList<string> Faults) Of(ObservedQuota quota, NvidiaConfig nvidia)
    {
        var faults = new List<string>();
        var memory = Value(quota, nvidia.ResourceNames.Memory, faults);
        if (memory is >= SmallestBytes)
        {
            faults.Add(Says(quota, nvidia.ResourceNames.Memory, $"is {memory}, which can only be bytes; it is taken as such, yet the resource counts MiB"));
            memory = decimal.Floor(memory.Value / MiB);
        }
        else
        {
            memory *= nvidia.MemoryFactor;
        }
        var cores = Value(quota, nvidia.ResourceNames.Cores, faults);
        return (memory is null && cores is null ? null : new(quota.Name, Whole(memory), Whole(cores)), faults);
    }

    private static decimal? Value(ObservedQuota quota, string resource, List<string> faults)
    {
        if (!quota.Hard.TryGetValue(Limits + resource, out var value))
            return null;
        if (value is not { } number || number < 0)
        {
            faults.Add(Says(quota, resource, "is no whole number from 0 on; until it is one, nothing more is given out"));
            return 0;
        }
        if (number != decimal.Truncate(number))
            faults.Add(Says(quota, resource, $"is {number:G29}; only {decimal.Floor(number)} of it counts, since the resource is a whole number"));
        return decimal.Floor(number);
    }

    private static long? Whole(decimal? value) => value is null ? null : (long)Math.Min(value.Value, long.MaxValue);

    private static string Says(ObservedQuota quota, string resource, FormattableString what) => Says(quota, resource, what.ToString(CultureInfo.InvariantCulture));

    private static string Says(ObservedQuota quota, string resource, string what) =>
        $"ResourceQuota {quota.Namespace}/{quota.Name}: spec.hard[{Limits}{resource}] {what}";
}
