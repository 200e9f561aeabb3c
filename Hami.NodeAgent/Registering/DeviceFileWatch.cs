using Hami.NodeAgent.Plumbing;

namespace Hami.NodeAgent.Registering;

/// <summary>Reads the device file again whenever its text changes.</summary>
/// <remarks>By looking, not by inotify: a file from a ConfigMap changes by a symlink two levels up.</remarks>
internal sealed partial class DeviceFileWatch(AgentOptions options, CardInventory inventory, TimeProvider time, ILogger<DeviceFileWatch> log)
    : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(500);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(Follow, time, log, stoppingToken);

    private async Task Follow(CancellationToken stoppingToken)
    {
        string? complained = null;
        string? last = null;
        using var timer = new PeriodicTimer(Period, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                var text = DeviceFile.Text(options.DeviceFile);
                if (text == last)
                    continue;
                last = text;
                if (inventory.Set(DeviceFile.Parse(text, options.DeviceFile)))
                    LogChanged(inventory.Cards.Length, inventory.Cards.Count(c => c.Healthy));
                complained = null;
            }
            catch (DeviceFileException e)
            {
                // The last good cards stay: a slip of the editor must not take a node's devices away.
                if (complained != e.Message)
                    LogBad(e.Message);
                complained = e.Message;
            }
        }
    }

    [LoggerMessage(LogLevel.Information, "The node's cards have changed: {Cards} cards, {Healthy} of them healthy")]
    private partial void LogChanged(int cards, int healthy);

    [LoggerMessage(LogLevel.Error, "{Sentence} Until then the cards stay as they were.")]
    private partial void LogBad(string sentence);
}
