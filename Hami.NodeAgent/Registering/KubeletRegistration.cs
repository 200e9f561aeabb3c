using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Plumbing;

namespace Hami.NodeAgent.Registering;

/// <summary>Keeps the kubelet told of the resource that cards are shared under.</summary>
internal sealed class KubeletRegistration(
    AgentOptions options, Func<CancellationToken, DevicePluginEndpoint> endpoint, PluginStreams streams, KubeletRestarts restarts, PluginFolder folder,
    ILoggerFactory logs, TimeProvider time, ILogger<KubeletRegistration> log) : BackgroundService
{
    private readonly PluginRegistration shared = new(
        new(options.ResourceName, options.PluginDir, DevicePluginEndpoint.Options), c => PluginListener.Open(options.PluginSocket, logs, endpoint, c),
        streams, restarts.Happened, folder, time, log);

    /// <summary>Ends once the kubelet has accepted this plugin for the first time.</summary>
    public Task FirstRegistered => shared.FirstRegistered;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(shared.KeepRegistered, time, log, stoppingToken);
}
