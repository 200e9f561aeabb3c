using Hami.Api.Reading;
using Marten;
using Marten.Events.Daemon.Coordination;

namespace Hami.Api.Plumbing;

/// <summary>
/// Runs the read models once the journal has made the schema: two that make it at once get in each other's way. When another log has taken
/// the place of the one that was followed, they begin anew, with a store of their own: Marten's daemon remembers in it how far it was.
/// </summary>
internal sealed partial class ProjectionHost(
    Func<DocumentStore> open, Journal journal, FollowedLog log, ReadModelsBuild readModels, TimeProvider time, ILoggerFactory loggers, ILogger<ProjectionHost> logger)
    : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(FollowAsync, time, logger, stoppingToken);

    private async Task FollowAsync(CancellationToken stoppingToken)
    {
        await journal.Loaded.WaitAsync(stoppingToken);
        while (true)
        {
            // Asked before anything is read: what begins in between is not missed.
            using var ends = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, log.Ends);
            await readModels.EnsureAsync(stoppingToken);
            await RunAsync(ends.Token);
            stoppingToken.ThrowIfCancellationRequested();
            LogAnew(logger);
        }
    }

    private async Task RunAsync(CancellationToken ends)
    {
        using var store = open();
        var coordinator = new ProjectionCoordinator(store, loggers.CreateLogger<ProjectionCoordinator>());
        await coordinator.StartAsync(ends);
        await Task.Delay(Timeout.Infinite, ends).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await coordinator.StopAsync(CancellationToken.None);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The read models begin anew with the log.")]
    private static partial void LogAnew(ILogger logger);
}
