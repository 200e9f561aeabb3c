using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Registering;

namespace Hami.NodeAgent.Partitioning;

/// <summary>Serves a plugin of its own for each profile of static MIG devices; one that has lost its devices tells of none.</summary>
internal sealed partial class MigPlugins(
    StaticMigDevices devices, MigHanding handing, PluginFolder folder, AgentOptions options, ILoggerFactory logs, TimeProvider time, ILogger<MigPlugins> log) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(Serve, time, log, stoppingToken);

    private async Task Serve(CancellationToken stoppingToken)
    {
        var serving = new Dictionary<string, Task>(StringComparer.Ordinal);
        try
        {
            while (true)
            {
                var (resources, changed) = devices.WatchResources();
                // What stands for cards is served where cards are.
                foreach (var name in resources.Where(r => r != options.ResourceName))
                    if (!serving.ContainsKey(name))
                        serving[name] = UntilStopped.RunAsync(Plugin(name).KeepRegistered, time, log, stoppingToken);
                await changed.WaitAsync(stoppingToken);
            }
        }
        finally
        {
            await Task.WhenAll(serving.Values);
        }
    }

    private PluginRegistration Plugin(string name)
    {
        var resource = new PluginResource(name, options.PluginDir, MigPluginEndpoint.Offers);
        var streams = new PluginStreams();
        return new(
            resource, c => PluginListener.Open(resource.Socket, logs, closing => new MigPluginEndpoint(name, handing, streams, closing), c),
            streams, () => { }, folder, time, log);
    }
}
