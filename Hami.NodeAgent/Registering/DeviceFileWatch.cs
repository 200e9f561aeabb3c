using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Settings;

namespace Hami.NodeAgent.Registering;

/// <summary>Reads the device file again whenever its text changes.</summary>
/// <remarks>By looking, not by inotify: a file from a ConfigMap changes by a symlink two levels up.</remarks>
internal sealed partial class DeviceFileWatch(AgentOptions options, SettingsInForce settings, CardInventory inventory, TimeProvider time, ILogger<DeviceFileWatch> log)
    : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(500);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => options.DeviceFile is { } file
        ? UntilStopped.RunAsync(c => Follow(file, c), time, log, stoppingToken)
        : Task.CompletedTask;

    private async Task Follow(string file, CancellationToken stoppingToken)
    {
        string? complained = null;
        byte[]? last = null;
        var cards = inventory.Cards;
        using var timer = new PeriodicTimer(Period, time);
        do
        {
            try
            {
                var text = DeviceFile.Bytes(file);
                if (last is null || !text.AsSpan().SequenceEqual(last))
                {
                    last = text;
                    cards = DeviceFile.Parse(text, file);
                    complained = null;
                }
            }
            catch (DeviceFileException e)
            {
                // The last good cards stay: a slip of the editor must not take a node's devices away.
                if (complained != e.Message)
                    LogBad(e.Message);
                complained = e.Message;
            }
            if (inventory.Set(Discovery.Visible(cards, settings.Current)))
                LogChanged(inventory.Cards.Length, inventory.Cards.Count(c => c.Healthy));
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(LogLevel.Information, "The node's cards have changed: {Cards} cards, {Healthy} of them healthy")]
    private partial void LogChanged(int cards, int healthy);

    [LoggerMessage(LogLevel.Error, "{Sentence} Until then the cards stay as they were.")]
    private partial void LogBad(string sentence);
}
