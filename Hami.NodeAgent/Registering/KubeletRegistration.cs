using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Partitioning;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Settings;

namespace Hami.NodeAgent.Registering;

/// <summary>Keeps the kubelet told of the resource that cards are shared under.</summary>
internal sealed class KubeletRegistration(
    AgentOptions options, Func<CancellationToken, DevicePluginEndpoint> endpoint, PluginStreams streams, KubeletRestarts restarts, PluginFolder folder, CardInventory inventory,
    StaticMigDevices migDevices, SettingsInForce settings, ILoggerFactory logs, TimeProvider time, ILogger<KubeletRegistration> log) : BackgroundService
{
    private readonly PluginRegistration shared = new(
        new(options.ResourceName, options.PluginDir, DevicePluginEndpoint.Options(settings.Current)), c => PluginListener.Open(options.PluginSocket, logs, endpoint, c),
        streams, restarts.Happened, folder, time, log);

    /// <summary>Ends once the kubelet has accepted this plugin for the first time.</summary>
    public Task FirstRegistered => shared.FirstRegistered;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(KeepRegistered, time, log, stoppingToken);

    // A node without cards, and without MIG devices that stand for them, has no such resource; one that had some and lost them says so by an empty list.
    private async Task KeepRegistered(CancellationToken stopping)
    {
        while (true)
        {
            var (cards, changed) = inventory.Watch();
            var (instead, others) = migDevices.Watch(options.ResourceName);
            if (!cards.IsEmpty || !instead.IsEmpty)
                break;
            await Task.WhenAny(changed, others).WaitAsync(stopping);
        }
        await shared.KeepRegistered(stopping);
    }
}
