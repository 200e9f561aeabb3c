using Hami.Api.Reading;
using Marten.Events.Daemon.Coordination;

namespace Hami.Api.Plumbing;

/// <summary>Runs the read models once the journal has made the schema: two that make it at once get in each other's way.</summary>
internal sealed class ProjectionHost(ProjectionCoordinator coordinator, Journal journal, ReadModelsBuild readModels, TimeProvider time, ILogger<ProjectionHost> logger) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(FollowAsync, time, logger, stoppingToken);

    private async Task FollowAsync(CancellationToken stoppingToken)
    {
        await journal.Loaded.WaitAsync(stoppingToken);
        await readModels.EnsureAsync(stoppingToken);
        await coordinator.StartAsync(stoppingToken);
        try
        {
            await Task.Delay(Timeout.Infinite, stoppingToken);
        }
        finally
        {
            await coordinator.StopAsync(CancellationToken.None);
        }
    }
}
