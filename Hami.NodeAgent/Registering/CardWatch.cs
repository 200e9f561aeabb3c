using System.Collections.Immutable;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Nvml;
using Hami.NodeAgent.Plumbing.Settings;
using Hami.NodeAgent.Registering.Health;

namespace Hami.NodeAgent.Registering;

/// <summary>Keeps the inventory equal to what NVML sees and to what it tells of the cards' health.</summary>
internal sealed partial class CardWatch(
    AgentOptions options, NvmlSession session, SettingsInForce settings, CardInventory inventory, HealthInbox inbox, TimeProvider time, ILogger<CardWatch> log) : BackgroundService
{
    private readonly long started = time.GetTimestamp();
    private readonly Dictionary<string, SeenCard> known = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> said = new(StringComparer.Ordinal);
    private NodeHealth health = NodeHealth.New;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        session.Exists ? UntilStopped.RunAsync(Follow, time, log, stoppingToken) : Task.CompletedTask;

    private async Task Follow(CancellationToken stoppingToken)
    {
        var look = true;
        while (!stoppingToken.IsCancellationRequested)
        {
            if (look)
                Look();
            var changed = Publish();
            look = await Next(changed, stoppingToken);
        }
    }

    // Ends at news, at other settings, or when it is time to look again, which it then says.
    private async Task<bool> Next(Task changed, CancellationToken stopping)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var tick = Task.Delay(options.LookAtCards, time, end.Token);
        var news = inbox.News.WaitToReadAsync(end.Token).AsTask();
        await Task.WhenAny(tick, news, changed);
        var look = tick.IsCompleted;
        await end.CancelAsync();
        while (inbox.News.TryRead(out var happened))
        {
            look |= happened is HealthNews.Doubt;
            health = health.Told(happened, time.GetElapsedTime(started), options.HealthRecovery);
        }
        return look;
    }

    private void Look()
    {
        try
        {
            var seen = session.Ask(nvml => NvmlCards.Look(nvml, options.Sysfs));
            foreach (var card in seen.Cards)
                known[card.Uuid] = card;
            foreach (var mute in seen.Mute.Where(m => m.Uuid is null || !known.ContainsKey(m.Uuid)))
                SayOnce($"mute {mute.Index}", $"The card with the index {mute.Index} is left out, since it does not answer: {mute.Reason}");
            health = health.Answered(
                seen.Cards.Select(c => c.Uuid),
                seen.Mute.Where(m => m.Uuid is not null).ToDictionary(m => m.Uuid!, m => m.Reason, StringComparer.Ordinal));
            said.Remove("driver");
            inbox.Cards = [.. seen.Cards.Select(c => c.Uuid)];
        }
        catch (NvmlException e)
        {
            health = health.Silent(e.Message, e.Result is NvmlResult.DriverNotLoaded or NvmlResult.LibraryNotFound);
            inbox.Cards = [];
            SayOnce("driver", known.Count == 0
                ? $"No cards: NVML is not there ({e.Message}). It is looked for again every {options.LookAtCards.TotalSeconds:0} s; see that the driver is loaded, and that --driver-root-ctr-path or --nvml-library leads to its libnvidia-ml.so.1."
                : $"NVML does not answer ({e.Message}): all cards count as unhealthy until it does.");
        }
    }

    private Task Publish()
    {
        var (now, changed) = settings.Watch();
        var at = time.GetElapsedTime(started);
        var (cards, leftOut) = Discovery.Cards(known.Values, now);
        foreach (var gone in said.Keys.Where(k => k.StartsWith("The card", StringComparison.Ordinal) && !leftOut.Contains(k)).ToList())
            said.Remove(gone);
        foreach (var sentence in leftOut)
            SayOnce(sentence, sentence);
        foreach (var card in cards)
            if (health.Against(card.Uuid, at, options.HealthRecovery) is { } reason)
            {
                if (health.DriverReason is null)
                    SayOnce($"ill {card.Uuid}", $"The card {card.Uuid} is unhealthy: {reason}");
            }
            else if (said.Remove($"ill {card.Uuid}"))
                LogWell(card.Uuid);
        if (inventory.Set([.. cards.Select(c => c with { Healthy = health.Against(c.Uuid, at, options.HealthRecovery) is null })]))
            LogChanged(inventory.Cards.Length, inventory.Cards.Count(c => c.Healthy));
        return changed;
    }

    private void SayOnce(string topic, string sentence)
    {
        if (said.TryAdd(topic, sentence))
            LogSentence(sentence);
    }

    [LoggerMessage(LogLevel.Information, "The node's cards have changed: {Cards} cards, {Healthy} of them healthy")]
    private partial void LogChanged(int cards, int healthy);

    [LoggerMessage(LogLevel.Information, "The card {DeviceUuid} is healthy again")]
    private partial void LogWell(string deviceUuid);

    [LoggerMessage(LogLevel.Warning, "{Sentence}")]
    private partial void LogSentence(string sentence);
}
