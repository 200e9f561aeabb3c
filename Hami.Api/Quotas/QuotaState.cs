using Hami.Api.Asking;
using Hami.Domain.Ledger;
using Hami.Domain.Replaying;

namespace Hami.Api.Quotas;

/// <summary>What a namespace holds, and what it may.</summary>
/// <param name="Namespace">Its name.</param>
/// <param name="UsedMemoryMiB">Device memory in MiB that its live allocations hold, over all cards.</param>
/// <param name="UsedCores">Percent of one card that they hold, summed over all cards.</param>
/// <param name="RoomMemoryMiB">Device memory in MiB that it may still take; null when nothing limits it.</param>
/// <param name="RoomCores">Percent of one card that it may still take; null when nothing limits it.</param>
/// <param name="Limits">Its ResourceQuotas that limit accelerators; all of them hold at once.</param>
public sealed record QuotaState(
    string Namespace, long UsedMemoryMiB, long UsedCores, long? RoomMemoryMiB, long? RoomCores, IReadOnlyList<NamespaceQuota> Limits)
{
    internal static readonly Dictionary<QuotaSort, Order<QuotaState>> Orders = new()
    {
        [QuotaSort.Namespace] = Order<QuotaState>.Text("namespace", q => q.Namespace, q => q.Namespace),
        [QuotaSort.UsedMemory] = Order<QuotaState>.Number("usedMemory", q => q.UsedMemoryMiB, q => q.Namespace),
        [QuotaSort.UsedCores] = Order<QuotaState>.Number("usedCores", q => q.UsedCores, q => q.Namespace),
        [QuotaSort.RoomMemory] = Order<QuotaState>.Known("roomMemory", q => q.RoomMemoryMiB, q => q.Namespace),
        [QuotaSort.RoomCores] = Order<QuotaState>.Known("roomCores", q => q.RoomCores, q => q.Namespace),
        [QuotaSort.Pods] = Order<QuotaState>.Number("pods", q => q.Pods, q => q.Namespace),
        [QuotaSort.Devices] = Order<QuotaState>.Number("devices", q => q.Devices, q => q.Namespace),
        [QuotaSort.Limits] = Order<QuotaState>.KnownText("limits", q => q.Limits.Count > 0 ? string.Join(',', q.Limits.Select(l => l.Name)) : null, q => q.Namespace),
    };

    /// <summary>Its pods that hold a part of a card.</summary>
    public int Pods { get; private init; }

    /// <summary>Cards of which they hold a part.</summary>
    public int Devices { get; private init; }

    /// <summary>All namespaces that hold something or are limited.</summary>
    internal static IEnumerable<QuotaState> Of(ClusterSums sums)
    {
        var (ledger, held) = (sums.Ledger, sums.Namespaces.ToDictionary(n => n.Namespace, StringComparer.Ordinal));
        foreach (var name in ledger.Quotas.Keys.Union(ledger.Used.Keys, StringComparer.Ordinal).Union(held.Keys, StringComparer.Ordinal))
        {
            var (used, room) = (ledger.Used.GetValueOrDefault(name, QuotaUse.None), ledger.RoomOf(name));
            yield return new(name, used.MemoryMiB, used.Cores, room.MemoryMiB, room.Cores, ledger.Quotas.GetValueOrDefault(name, []))
            {
                Pods = held.GetValueOrDefault(name)?.Pods ?? 0,
                Devices = held.GetValueOrDefault(name)?.Devices ?? 0,
            };
        }
    }
}

/// <summary>Which namespaces; what is left out is not asked for.</summary>
public sealed class QuotaFilter
{
    /// <summary>Only this namespace.</summary>
    public string? Namespace { get; init; }

    /// <summary>Only namespaces that a ResourceQuota limits, or only others.</summary>
    public bool? Limited { get; init; }

    /// <summary>Only namespaces in whose name, or a name of whose ResourceQuotas, this occurs.</summary>
    public string? Search { get; init; }

    internal bool Takes(QuotaState quota) =>
        Match.Is(Namespace, quota.Namespace) && Match.Is(Limited, quota.Limits.Count > 0)
        && (Search is null || Match.Has(Search, quota.Namespace) || quota.Limits.Any(l => Match.Has(Search, l.Name)));
}

/// <summary>What quotas are sorted by; what nothing limits comes last by what is left.</summary>
public enum QuotaSort
{
    /// <summary>Name of the namespace.</summary>
    Namespace,

    /// <summary>Device memory held.</summary>
    UsedMemory,

    /// <summary>Compute held.</summary>
    UsedCores,

    /// <summary>Device memory that may still be taken.</summary>
    RoomMemory,

    /// <summary>Compute that may still be taken.</summary>
    RoomCores,

    /// <summary>Pods that hold a part of a card.</summary>
    Pods,

    /// <summary>Cards of which they do.</summary>
    Devices,

    /// <summary>Names of the ResourceQuotas; what none limits comes last.</summary>
    Limits,
}
