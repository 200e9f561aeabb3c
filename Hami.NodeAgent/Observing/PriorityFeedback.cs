using System.Collections.Immutable;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Registering;
using static Hami.NodeAgent.Observing.RegionLayout;

namespace Hami.NodeAgent.Observing;

/// <summary>Tells containers through their regions whose turn it is. When it ends, nobody is left blocked.</summary>
internal sealed partial class PriorityFeedback(
    WatchedContainers containers, RegionFiles regions, CardInventory inventory, NodeReadings readings, AgentOptions options, TimeProvider time, ILogger<PriorityFeedback> log)
    : BackgroundService
{
    // HAMi's; the library takes a block that does not come back within two of these for one of a monitor that is gone.
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    // The driver's percent above which a process is at work, as in the library.
    private const int AtWork = 2;

    private readonly RegionReading region = new();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await UntilStopped.RunAsync(Follow, time, log, stoppingToken);
        Lift();
    }

    /// <summary>One turn of all containers.</summary>
    internal void Take()
    {
        var open = Open();
        try
        {
            var next = Turns.Next([.. open.Select(o => o.Turn)]);
            for (var i = 0; i < open.Count; i++)
                Write(open[i], next[i]);
        }
        finally
        {
            open.ForEach(o => o.File?.Dispose());
        }
    }

    private async Task Follow(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            Take();
    }

    // HAMi's library waits for ever for a monitor that is gone.
    private void Lift()
    {
        foreach (var open in Open())
            using (open.File)
                Write(open, new(Math.Max(open.Turn.Recent, 0), open.Turn.Switch));
    }

    private List<OpenTurn> Open()
    {
        // Instances of MIG do not disturb each other.
        var shared = inventory.Cards.Where(c => c.Mig is null).Select(c => c.Uuid).ToHashSet(StringComparer.Ordinal);
        var busy = Busy();
        var open = new List<OpenTurn>();
        foreach (var container in containers.Now().Where(c => !c.Over))
        {
            ImmutableArray<string> cards = [.. container.Cards.Select(c => c.Uuid).Where(shared.Contains)];
            if (cards.IsEmpty)
                continue;
            var seen = busy.Contains((container.PodUid, container.Name));
            if (OpenRegion(container) is { } file)
                // Ours always says when it sends work.
                open.Add(new(container, file, region.Layout.TailAt, new(container.Priority, region.RecentKernel, region.UtilizationSwitch, cards, seen && region.Kind is not RegionKind.Ours)));
            else
                open.Add(new(container, null, 0, new(container.Priority, 0, 0, cards, seen)));
        }
        return open;
    }

    private RegionFile? OpenRegion(WatchedContainer container)
    {
        RegionFile? file = null;
        try
        {
            file = regions.Open(container.PodUid, container.Name, writing: true);
            if (file is not null && region.ReadWords(file) is RegionState.Usable)
                return file;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Sampling has said so.
        }
        file?.Dispose();
        return null;
    }

    private HashSet<(string PodUid, string Container)> Busy() =>
        readings.Latest is { } moment && time.GetUtcNow() - moment.At < Period + options.Observing.SampleInterval
            ? [.. moment.Shares.Where(s => s.Busy >= AtWork).Select(s => (s.PodUid, s.Container))]
            : [];

    // A word at a time, and none that a process has written since it was read: it launched, and says so.
    private void Write(OpenTurn open, TurnWords next)
    {
        if (open.File is not { } file || next == open.Turn.Words)
            return;
        try
        {
            if (next.Switch != open.Turn.Switch)
                file.Exchange(open.TailAt + SwitchAt, open.Turn.Switch, next.Switch);
            if (next.Recent != open.Turn.Recent)
                file.Exchange(open.TailAt + RecentAt, open.Turn.Recent, next.Recent);
            if (next.Recent < 0 != open.Turn.Recent < 0)
                LogTurn(open.Container.Namespace, open.Container.Pod, open.Container.Name, next.Recent < 0 ? "waits for one of higher priority" : "goes on");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogUnwritten(open.Container.Namespace, open.Container.Pod, open.Container.Name, e.Message);
        }
    }

    [LoggerMessage(LogLevel.Debug, "Container {Container} of pod {Namespace}/{Pod} {What}")]
    private partial void LogTurn(string @namespace, string pod, string container, string what);

    [LoggerMessage(LogLevel.Debug, "The region of container {Container} of pod {Namespace}/{Pod} could not be written: {Reason}")]
    private partial void LogUnwritten(string @namespace, string pod, string container, string reason);

    private sealed record OpenTurn(WatchedContainer Container, RegionFile? File, int TailAt, Turn Turn);
}
