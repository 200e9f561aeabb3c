using Hami.Api.Asking;
using Hami.Api.Plumbing;
using Npgsql;

namespace Hami.Api.Reading;

/// <summary>Looks how far the read models are, which any replica may write, while somebody waits for them to follow the log.</summary>
internal sealed partial class ReadProgress(NpgsqlDataSource database, ClusterNews news, TimeProvider time, ILogger<ReadProgress> logger) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(LookAsync, time, logger, stoppingToken);

    private async Task LookAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Limits.Pace, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            if (!news.IsListAwaited)
                continue;
            try
            {
                await using var connection = await database.OpenConnectionAsync(stoppingToken);
                if (await ReadRows.HeadAsync(connection, locked: false, stoppingToken) is { } head)
                    news.Followed(head.Position);
            }
            catch (Exception e) when (e is NpgsqlException or TimeoutException && !stoppingToken.IsCancellationRequested)
            {
                LogUnknown(logger, e.Message);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "How far the read models are is not known: {Why}")]
    private static partial void LogUnknown(ILogger logger, string why);
}
