using GraphQL;

namespace Hami.Api.Observing;

/// <summary>What cards do now, as their nodes' agents measured it; what is not known is null.</summary>
/// <param name="At">When it was measured, by the node's clock; of several nodes the earliest.</param>
/// <param name="Devices">How many cards this tells of.</param>
/// <param name="Busy">Percent of the last moments in which a kernel ran, from 0 to 100; of several cards the average.</param>
/// <param name="MemoryUsedMiB">Device memory in MiB in use, by whomever.</param>
/// <param name="MemoryTotalMiB">Device memory in MiB that there is, without memory scaling.</param>
/// <param name="TemperatureCelsius">Temperature in °C; of several cards the warmest.</param>
/// <param name="PowerWatts">Power drawn in W; of several cards together.</param>
public sealed record CardsUsage(
    DateTimeOffset At, int Devices, double? Busy, long? MemoryUsedMiB, long? MemoryTotalMiB, int? TemperatureCelsius, double? PowerWatts)
{
    internal static CardsUsage? Of(IEnumerable<(UseKey Key, string Namespace, DateTimeOffset At, Measured Value)> now)
    {
        var cards = now.Where(n => n.Key.IsCard).ToList();
        return cards.Count == 0 ? null : new(
            cards.Min(c => c.At), cards.Count, cards.Average(c => c.Value.Busy), Usage.MiB(cards.Select(c => c.Value.MemoryBytes)), Usage.MiB(cards.Select(c => c.Value.MemoryTotalBytes)),
            cards.Max(c => c.Value.TemperatureCelsius), cards.Exists(c => c.Value.PowerMilliwatt is not null) ? cards.Sum(c => c.Value.PowerMilliwatt) / 1000.0 : null);
    }
}

/// <summary>What containers do now with their parts of cards, as the node's agent measured it; what is not known is null.</summary>
/// <param name="At">When it was measured, by the node's clock.</param>
/// <param name="Busy">Percent of one card's time; of several parts together.</param>
/// <param name="MemoryUsedMiB">Device memory in MiB in use; of several parts together.</param>
public sealed record ShareUsage(DateTimeOffset At, double? Busy, long? MemoryUsedMiB)
{
    internal static ShareUsage? Of(IEnumerable<(UseKey Key, string Namespace, DateTimeOffset At, Measured Value)> now)
    {
        var shares = now.ToList();
        return shares.Count == 0 ? null : new(
            shares.Min(s => s.At), shares.Exists(s => s.Value.Busy is not null) ? shares.Sum(s => s.Value.Busy) : null, Usage.MiB(shares.Select(s => s.Value.MemoryBytes)));
    }
}

/// <summary>The cards or shares whose use is asked for; with nothing given, all cards of the cluster.</summary>
/// <remarks>With a namespace, an owner, a pod or a container it is what containers use of their shares, else what cards do.</remarks>
public sealed class UsageOf
{
    /// <summary>Only what is on this node.</summary>
    public string? Node { get; init; }

    /// <summary>Only the card of this UUID.</summary>
    public string? DeviceUuid { get; init; }

    /// <summary>Only shares of pods of this namespace.</summary>
    public string? Namespace { get; init; }

    /// <summary>Only shares of pods whose owner is of this kind, such as Deployment; takes ownerName and namespace too.</summary>
    public string? OwnerKind { get; init; }

    /// <summary>Only shares of pods whose owner has this name; takes ownerKind and namespace too.</summary>
    public string? OwnerName { get; init; }

    /// <summary>Only shares of the pod of this UID.</summary>
    public string? PodUid { get; init; }

    /// <summary>Only shares of containers of this name.</summary>
    public string? Container { get; init; }

    internal bool IsOfShares => (Namespace ?? OwnerKind ?? OwnerName ?? PodUid ?? Container) is not null;

    internal bool IsOfCluster => !IsOfShares && (Node ?? DeviceUuid) is null;

    /// <summary>Whether it is a namespace's as a whole.</summary>
    internal bool IsOfNamespace => Namespace is not null && (Node ?? DeviceUuid ?? OwnerKind ?? OwnerName ?? PodUid ?? Container) is null;
}

/// <summary>Use over time.</summary>
/// <param name="From">Where it begins: at a whole step.</param>
/// <param name="To">Where it ends.</param>
/// <param name="StepSeconds">Seconds from one point to the next.</param>
/// <param name="Points">One for each step, in order of time; where nothing is known its values are null.</param>
/// <param name="Source">Who kept it.</param>
public sealed record UsageTrend(DateTimeOffset From, DateTimeOffset To, int StepSeconds, IReadOnlyList<UsagePoint> Points, TrendSource Source = TrendSource.Telemetry);

/// <summary>Who kept what a trend shows.</summary>
public enum TrendSource
{
    /// <summary>The control plane itself, as node agents told it.</summary>
    Telemetry,

    /// <summary>Prometheus, which scraped the node agents.</summary>
    Prometheus,
}

/// <summary>Use over one step; what is not known is null.</summary>
/// <param name="At">Where the step begins.</param>
/// <param name="Busy">Percent: of cards the average over them; of shares the percent of one card's time, all together.</param>
/// <param name="BusyMax">The most that one card or share had in one moment.</param>
/// <param name="MemoryUsedMiB">Device memory in MiB in use, all together, on average.</param>
/// <param name="MemoryUsedMaxMiB">The most MiB that one card or share had in use in one moment.</param>
/// <param name="TemperatureCelsius">Temperature in °C of the warmest card.</param>
/// <param name="PowerWatts">Power drawn in W, all cards together, on average.</param>
/// <param name="EnergyJoules">Energy drawn in J, all cards together; known for steps of 300 s and more.</param>
/// <param name="Series">How many cards, or shares, this tells of; the most at once.</param>
public sealed record UsagePoint(
    DateTimeOffset At, double? Busy, int? BusyMax, double? MemoryUsedMiB, double? MemoryUsedMaxMiB, int? TemperatureCelsius, double? PowerWatts, double? EnergyJoules, int? Series);

/// <summary>Numbers as they are shown.</summary>
internal static class Usage
{
    public const double BytesOfMiB = 1 << 20;

    public static long? MiB(IEnumerable<long?> bytes) => bytes.Aggregate((long?)null, (sum, b) => b is null ? sum : (sum ?? 0) + b) >> 20;
}
