using System.Globalization;
using Hami.Telemetry.V1;

namespace Hami.Api.Observing;

/// <summary>What a series is of: a card, or one container's part of it.</summary>
/// <param name="PodUid">Empty for the card itself.</param>
/// <param name="Container">Empty for the card itself.</param>
internal readonly record struct UseKey(string DeviceUuid, string PodUid, string Container)
{
    public bool IsCard => PodUid.Length == 0;
}

/// <summary>What was measured; what is not known is null.</summary>
internal readonly record struct Measured(
    int? Busy, long? MemoryBytes, long? MemoryTotalBytes = null, int? TemperatureCelsius = null, long? PowerMilliwatt = null, long? EnergyMillijoule = null);

/// <summary>What a report tells beside its moments, of the latest of them; what is not known is null.</summary>
/// <param name="Cards">By UUID.</param>
internal sealed record HeardFacts(string? DriverVersion, IReadOnlyDictionary<string, CardFacts> Cards)
{
    public static readonly HeardFacts None = new(null, new Dictionary<string, CardFacts>(StringComparer.Ordinal));
}

/// <summary>What the driver tells of one card beside its use.</summary>
/// <param name="FanPercent">Of the most that the fan is meant to turn.</param>
/// <param name="LastXid">Number of the last error since the agent listens; 0 for none.</param>
internal readonly record struct CardFacts(int? MemoryTemperatureCelsius, int? FanPercent, int? LastXid);

/// <summary>One moment of a node.</summary>
internal sealed record HeardMoment(DateTimeOffset At, IReadOnlyList<(UseKey Key, Measured Value)> Values);

/// <summary>The report makes no sense as a whole; the message says why in one sentence.</summary>
internal sealed class ReportRefusedException(string message) : Exception(message);

/// <summary>Reads a report: values that no card can have are left out, and said once.</summary>
internal static class TelemetryReading
{
    private const int LongestName = 253; // of a pod or a node
    private const long MostBytes = 1L << 42;
    private const long MostMilliwatt = 10_000_000;
    private const int LeastCelsius = -50;
    private const int MostCelsius = 200;
    private const int MostFanPercent = 200; // some turn faster than they are meant to
    private const int MostXid = 9_999;
    private const int LongestVersion = 79; // NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE

    /// <summary>What of a report can be used.</summary>
    /// <exception cref="ReportRefusedException">Nothing of it can be used.</exception>
    public static IReadOnlyList<HeardMoment> Read(ReportRequest report, DateTimeOffset now, ICollection<string> refused)
    {
        Must(report.Moments.Count <= TelemetryLimits.Moments, $"A report has {report.Moments.Count} moments; it may have {TelemetryLimits.Moments}.");
        Must(report.Cards.Count <= TelemetryLimits.CardsOfANode, $"A report tells of {report.Cards.Count} cards; a node may have {TelemetryLimits.CardsOfANode}.");
        Must(report.Shares.Count <= TelemetryLimits.SharesOfANode, $"A report tells of {report.Shares.Count} shares; a node may have {TelemetryLimits.SharesOfANode}.");
        Must(report.Cards.All(c => IsName(c.Uuid)) && report.Shares.All(s => IsName(s.PodUid) && IsName(s.Container) && IsName(s.DeviceUuid)),
            "A name in the report is empty, longer than 253 characters, or has characters that no name has.");
        UseKey[] cards = [.. report.Cards.Select(c => new UseKey(c.Uuid, "", ""))];
        UseKey[] shares = [.. report.Shares.Select(s => new UseKey(s.DeviceUuid, s.PodUid, s.Container))];
        var moments = new List<HeardMoment>(report.Moments.Count);
        foreach (var moment in report.Moments)
        {
            if (TimeOf(moment.UnixMs, now) is { } wrong)
            {
                Say(refused, wrong);
                continue;
            }
            var values = new Dictionary<UseKey, Measured>(moment.Cards.Count + moment.Shares.Count);
            foreach (var card in moment.Cards)
                values[At(cards, card.Card)] = Card(card, refused);
            foreach (var share in moment.Shares)
                values[At(shares, share.Share)] = Share(share, refused);
            moments.Add(new(DateTimeOffset.FromUnixTimeMilliseconds(moment.UnixMs), [.. values.Select(v => (v.Key, v.Value))]));
        }
        return moments;
    }

    /// <summary>What a report that was read tells beside its moments.</summary>
    public static HeardFacts Facts(ReportRequest report, ICollection<string> refused)
    {
        var cards = new Dictionary<string, CardFacts>(report.Cards.Count, StringComparer.Ordinal);
        foreach (var card in report.Cards)
        {
            cards[card.Uuid] = new(
                card.HasMemoryTemperatureCelsius ? (int?)Within("memory_temperature_celsius", card.MemoryTemperatureCelsius, LeastCelsius, MostCelsius, "°C", refused) : null,
                card.HasFanPercent ? (int?)Within("fan_percent", card.FanPercent, 0, MostFanPercent, "percent", refused) : null,
                card.HasLastXid ? (int?)Within("last_xid", card.LastXid, 0, MostXid, "as a number", refused) : null);
        }
        return new(report.HasDriverVersion ? Version(report.DriverVersion, refused) : null, cards);
    }

    /// <summary>Says a sentence once, and not too many.</summary>
    public static void Say(ICollection<string> refused, string sentence)
    {
        if (refused.Count < TelemetryLimits.Sentences && !refused.Contains(sentence))
            refused.Add(sentence);
    }

    private static string? TimeOf(long unixMs, DateTimeOffset now)
    {
        var (from, to) = ((now - TelemetryLimits.Late).ToUnixTimeMilliseconds(), (now + TelemetryLimits.Ahead).ToUnixTimeMilliseconds());
        return unixMs < from ? $"A moment older than {TelemetryLimits.Late.TotalMinutes} minutes is not taken: see to the node's clock if it is no old one."
            : unixMs > to ? $"A moment more than {TelemetryLimits.Ahead.TotalMinutes} minute ahead of the control plane is not taken: set the node's clock."
            : null;
    }

    private static Measured Card(CardSample card, ICollection<string> refused) => new(
        card.HasBusy ? (int?)Within("busy", card.Busy, 0, 100, "percent", refused) : null,
        card.HasMemoryUsedBytes ? Within("memory_used_bytes", card.MemoryUsedBytes, 0, MostBytes, "bytes", refused) : null,
        card.HasMemoryTotalBytes ? Within("memory_total_bytes", card.MemoryTotalBytes, 0, MostBytes, "bytes", refused) : null,
        card.HasTemperatureCelsius ? (int?)Within("temperature_celsius", card.TemperatureCelsius, LeastCelsius, MostCelsius, "°C", refused) : null,
        card.HasPowerMilliwatt ? Within("power_milliwatt", card.PowerMilliwatt, 0, MostMilliwatt, "mW", refused) : null,
        card.HasEnergyMillijoule ? Within("energy_millijoule", card.EnergyMillijoule, 0, long.MaxValue, "mJ", refused) : null);

    private static Measured Share(ShareSample share, ICollection<string> refused) => new(
        share.HasBusy ? (int?)Within("busy", share.Busy, 0, 100, "percent", refused) : null,
        share.HasMemoryUsedBytes ? Within("memory_used_bytes", share.MemoryUsedBytes, 0, MostBytes, "bytes", refused) : null);

    private static long? Within(string field, decimal value, long least, long most, string unit, ICollection<string> refused)
    {
        if (value >= least && value <= most)
            return (long)value;
        Say(refused, string.Create(CultureInfo.InvariantCulture, $"{field} is {value}; it must be from {least} to {most} {unit}, and counts as unknown."));
        return null;
    }

    private static string? Version(string text, ICollection<string> refused)
    {
        if (text.Length <= LongestVersion && IsName(text))
            return text;
        Say(refused, $"driver_version is no version: it must have 1 to {LongestVersion} characters without spaces, and counts as unknown.");
        return null;
    }

    private static UseKey At(UseKey[] keys, uint position) => position < keys.Length
        ? keys[position]
        : throw new ReportRefusedException(string.Create(CultureInfo.InvariantCulture, $"A sample is of position {position}, but the report names {keys.Length} there."));

    private static bool IsName(string text) => text.Length is > 0 and <= LongestName && !text.AsSpan().ContainsAnyExceptInRange('!', '~');

    private static void Must(bool holds, string otherwise)
    {
        if (!holds)
            throw new ReportRefusedException(otherwise);
    }
}
