using Hami.Api.Reading;
using Marten;
using Marten.Events.Daemon.Coordination;
using Npgsql;

namespace Hami.Api.Plumbing;

/// <summary>
/// Runs the read models once the journal has made the schema: two that make it at once get in each other's way. Of several processes the one that
/// leads runs them. When another log has taken the place of the one that was followed, they begin anew, with a store of their own: Marten's daemon
/// remembers in it how far it was.
/// </summary>
internal sealed partial class ProjectionHost(
    string postgres, Func<DocumentStore> open, Journal journal, FollowedLog log, ReadModelsBuild readModels, TimeProvider time, ILoggerFactory loggers, ILogger<ProjectionHost> logger)
    : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(FollowAsync, time, logger, stoppingToken);

    private async Task FollowAsync(CancellationToken stoppingToken)
    {
        await journal.Loaded.WaitAsync(stoppingToken);
        while (true)
        {
            // Asked before anything is read: what begins in between is not missed.
            using var ends = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, log.Ends);
            await readModels.EnsureAsync(stoppingToken);
            try
            {
                await RunAsync(ends.Token);
                LogLost(logger);
            }
            catch (OperationCanceledException) when (ends.IsCancellationRequested)
            {
                stoppingToken.ThrowIfCancellationRequested();
                LogAnew(logger);
            }
            catch (NpgsqlException e)
            {
                LogAway(logger, e.Message);
                await Task.Delay(Pause, time, stoppingToken);
            }
        }
    }

    /// <summary>Runs them while this process leads.</summary>
    private async Task RunAsync(CancellationToken ends)
    {
        await using var leadership = await Leadership.TakeAsync(postgres, time, ends);
        using var store = open();
        var coordinator = new ProjectionCoordinator(store, loggers.CreateLogger<ProjectionCoordinator>());
        await coordinator.StartAsync(ends);
        try
        {
            await leadership.LostAsync(ends);
        }
        finally
        {
            await coordinator.StopAsync(CancellationToken.None);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The session that keeps the read models for this process was lost; the next to lead goes on with them.")]
    private static partial void LogLost(ILogger logger);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Whether this process keeps the read models cannot be asked: {Why}")]
    private static partial void LogAway(ILogger logger, string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The read models begin anew with the log.")]
    private static partial void LogAnew(ILogger logger);
}
