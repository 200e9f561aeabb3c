using System.Collections.Immutable;
using Hami.NodeAgent.Plumbing.Nvml;
using Hami.NodeAgent.Registering;
using Hami.NodeAgent.Registering.Health;

namespace Hami.NodeAgent.Observing;

/// <summary>What the driver tells of a process on a card.</summary>
/// <param name="Bytes">Null when it does not say.</param>
/// <param name="Busy">Percent of the card's time.</param>
internal readonly record struct ProcessOnCard(long? Bytes, int Busy);

/// <summary>What the driver tells of a card.</summary>
/// <param name="Processes">By the pid on the node; null when the driver does not list them.</param>
/// <param name="TellsBusy">Whether it samples processes: not in MIG mode.</param>
internal sealed record CardLook(CardReading Reading, IReadOnlyDictionary<int, ProcessOnCard>? Processes, bool TellsBusy);

/// <summary>Asks NVML what all cards are doing. What one card, or one call, does not tell is left open, and the rest is told all the same.</summary>
internal sealed class DriverLook(NvmlSession nvml, LastXids xids)
{
    // Asked every few seconds, a call that a card does not support would be an exception each time.
    private readonly HashSet<(string Card, string Call)> unsupported = [];
    private readonly Dictionary<string, ulong> sampledUs = new(StringComparer.Ordinal);
    private NvmlLibrary? asked;

    /// <summary>What the driver said of itself at the last look; null when it did not.</summary>
    public string? DriverVersion { get; private set; }

    public ImmutableArray<CardLook> At(ImmutableArray<Card> cards)
    {
        DriverVersion = null;
        if (!nvml.Exists)
            return [.. cards.Select(Silent)];
        try
        {
            return nvml.Ask(library =>
            {
                if (asked != library)
                    unsupported.Clear();
                asked = library;
                DriverVersion = Asked("", "version", library.DriverVersion);
                return cards.Select(card => Look(library, card)).ToImmutableArray();
            });
        }
        catch (NvmlException)
        {
            // The session has said so, once.
            return [.. cards.Select(Silent)];
        }
    }

    private static CardLook Silent(Card card) =>
        new(new(card.Uuid, card.Index, card.Model, card.Healthy, null, null, null, null, null, null, null), null, TellsBusy: false);

    private CardLook Look(NvmlLibrary library, Card card)
    {
        if (Try(card, "handle", () => library.ByUuid(card.Uuid)) is not { } device)
            return Silent(card);
        var memory = Try(card, "memory", () => library.Memory(device));
        var busy = Try(card, "utilization", () => library.Utilization(device));
        var reading = new CardReading(
            card.Uuid, card.Index, card.Model, card.Healthy, (long?)memory?.Total, (long?)memory?.Used, (int?)busy?.Gpu, (int?)busy?.Memory,
            (int?)Try(card, "temperature", () => library.Temperature(device)), Try(card, "power", () => library.PowerMilliwatt(device)), (long?)Try(card, "energy", () => library.EnergyMillijoule(device)),
            (int?)Try(card, "memory temperature", () => library.MemoryTemperature(device)), (int?)Try(card, "fan", () => library.FanPercent(device)), xids.Of(card.Uuid));
        return Processes(library, card, device, reading);
    }

    private CardLook Processes(NvmlLibrary library, Card card, NvmlDevice device, CardReading reading)
    {
        if (List(card, "processes", () => library.ComputeProcesses(device)) is not { } computing)
            return new(reading, null, TellsBusy: false);
        var found = new Dictionary<int, ProcessOnCard>(computing.Length);
        // One that does both kinds of work is in both lists with the same bytes.
        foreach (var process in computing.Concat(List(card, "graphics", () => library.GraphicsProcesses(device)) ?? []))
        {
            long? bytes = process.UsedBytes == ulong.MaxValue ? null : (long)Math.Min(process.UsedBytes, long.MaxValue);
            var pid = (int)process.Pid;
            // In MIG mode a process has an entry for each instance it uses; these are added up.
            var before = found.TryGetValue(pid, out var entry) ? entry.Bytes : null;
            var isAnotherPart = process.GpuInstanceId != NvmlEvent.NoInstance;
            found[pid] = new(before is null ? bytes : bytes is null ? before : isAnotherPart ? before + bytes : Math.Max(before.Value, bytes.Value), 0);
        }
        var samples = List(card, "samples", () => library.ProcessSamples(device, sampledUs.GetValueOrDefault(card.Uuid)));
        if (samples is not null)
            AddSamples(card, samples, found);
        return new(reading, found, samples is not null);
    }

    // The mean of each process's samples since the last look.
    private void AddSamples(Card card, NvmlProcessSample[] samples, Dictionary<int, ProcessOnCard> found)
    {
        var since = sampledUs.GetValueOrDefault(card.Uuid);
        foreach (var group in samples.Where(s => s.TimestampUs > since && s.Sm <= 100).GroupBy(s => (int)s.Pid))
            found[group.Key] = new(found.TryGetValue(group.Key, out var entry) ? entry.Bytes : 0, (int)Math.Round(group.Average(s => s.Sm)));
        if (samples.Length > 0)
            sampledUs[card.Uuid] = Math.Max(since, samples.Max(s => s.TimestampUs));
    }

    private T? Try<T>(Card card, string call, Func<T> ask)
        where T : struct =>
        Asked(card.Uuid, call, () => (T?)ask());

    private T[]? List<T>(Card card, string call, Func<T[]> ask) => Asked(card.Uuid, call, ask);

    private T? Asked<T>(string card, string call, Func<T?> ask)
    {
        if (unsupported.Contains((card, call)))
            return default;
        try
        {
            return ask();
        }
        catch (NvmlException e) when (e.Result is not (NvmlResult.Uninitialized or NvmlResult.DriverNotLoaded))
        {
            if (e.Result is NvmlResult.NotSupported or NvmlResult.FunctionNotFound)
                unsupported.Add((card, call));
            return default;
        }
    }
}
