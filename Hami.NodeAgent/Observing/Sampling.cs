using System.Collections.Immutable;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Registering;

namespace Hami.NodeAgent.Observing;

/// <summary>Looks at all cards and containers every few seconds and puts what it saw into the readings.</summary>
internal sealed partial class Sampling(
    CardInventory inventory, WatchedContainers containers, RegionFiles regions, DriverLook driver, ProcessFiles processes, NodeReadings readings, ExcessEnforcement excess, AgentOptions options,
    TimeProvider time, ILogger<Sampling> log) : BackgroundService
{
    private readonly RegionReading region = new();
    private Dictionary<(string PodUid, string Container), string> faults = [];

    /// <summary>How often it looked, and how long the last look took.</summary>
    public Counts Counts { get; private set; } = new(0, TimeSpan.Zero, 0, 0, 0);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(Sample, time, log, stoppingToken);

    /// <summary>What is to be seen now.</summary>
    internal NodeMoment Look()
    {
        var (now, begun) = (time.GetUtcNow(), time.GetTimestamp());
        var cards = inventory.Cards;
        var looks = driver.At(cards);
        var sizes = Sizes(cards, looks);
        var said = new Dictionary<(string PodUid, string Container), string>();
        var told = new List<(WatchedContainer Container, RegionTold Told)>();
        foreach (var container in containers.Now().Where(c => !c.Over))
            told.Add((container, Read(container, sizes, now, said)));
        faults = said;
        var owners = Attribution.Owners(looks.SelectMany(c => c.Processes?.Keys ?? []).Distinct(), processes.Owner, told);
        excess.Found = Found(looks, owners);
        processes.Forget();
        var moment = new NodeMoment(now, [.. looks.Select(c => c.Reading)], Attribution.Shares(told, looks, owners), driver.DriverVersion);
        Counts = new(Counts.Samples + 1, time.GetElapsedTime(begun), faults.Count, 0, 0);
        return moment;
    }

    private async Task Sample(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Observing.SampleInterval, time);
        do
            readings.Set(Look());
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private static Dictionary<string, long> Sizes(ImmutableArray<Card> cards, ImmutableArray<CardLook> looks)
    {
        var sizes = cards.ToDictionary(c => c.Uuid, c => c.MemoryMiB << 20, StringComparer.Ordinal);
        foreach (var look in looks)
            if (look.Reading.MemoryTotalBytes is { } bytes)
                sizes[look.Reading.Uuid] = bytes;
        return sizes;
    }

    private ImmutableArray<ProcessFound> Found(ImmutableArray<CardLook> looks, Dictionary<int, WatchedContainer> owners) =>
    [
        .. from card in looks
           from process in card.Processes ?? ImmutableDictionary<int, ProcessOnCard>.Empty
           where owners.ContainsKey(process.Key)
           let ticks = processes.StartTicks(process.Key)
           where ticks is not null
           select new ProcessFound(process.Key, ticks.Value, processes.Owner(process.Key), owners[process.Key], card.Reading.Uuid, process.Value.Bytes),
    ];

    private RegionTold Read(WatchedContainer container, Dictionary<string, long> sizes, DateTimeOffset now, Dictionary<(string, string), string> said)
    {
        var fault = "";
        try
        {
            using var file = regions.Open(container.PodUid, container.Name, writing: false);
            if (file is null)
                return RegionTold.Nothing;
            switch (region.Read(file, process => Lives(file, process)))
            {
                case RegionState.Usable:
                    return RegionTold.From(region, container, uuid => sizes.TryGetValue(uuid, out var bytes) ? bytes : null, now);
                case RegionState.NotReady:
                    return RegionTold.Nothing;
                case RegionState.WrongSize:
                    fault = $"it has {file.Length} bytes";
                    break;
                case RegionState.Foreign:
                    fault = "it has another format";
                    break;
                case RegionState.Short:
                    fault = "it was cut off while it was read";
                    break;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            fault = e.Message;
        }
        // Said once, and again when it is another.
        said[(container.PodUid, container.Name)] = fault;
        if (faults.GetValueOrDefault((container.PodUid, container.Name)) != fault)
            LogUnusable(container.Namespace, container.Pod, container.Name, fault);
        return RegionTold.Nothing;
    }

    // Places of killed processes stay until the next one of the container clears them.
    private bool Lives(RegionFile file, RegionProcess process) =>
        region.Kind is RegionKind.Ours ? file.IsTaken(process.Slot) : process.HostPid == 0 || !processes.SeesNode || processes.StartTicks(process.HostPid) is not null;

    [LoggerMessage(LogLevel.Warning, "The region of container {Container} of pod {Namespace}/{Pod} is not read ({Reason}); what the driver says of its processes counts alone. If the container is not at fault, start it anew")]
    private partial void LogUnusable(string @namespace, string pod, string container, string reason);
}
