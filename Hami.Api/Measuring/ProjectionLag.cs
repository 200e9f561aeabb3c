using System.Collections.Immutable;
using Hami.Api.Plumbing;
using Npgsql;

namespace Hami.Api.Measuring;

/// <summary>How far the read models have followed the log; asked now and then, not at the scrape.</summary>
internal sealed partial class ProjectionLag(NpgsqlDataSource database, Journal journal, TimeProvider time, ILogger<ProjectionLag> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    private volatile IReadOnlyList<(string Follower, long Position)> _positions = [];

    public IReadOnlyList<(string Follower, long Position)> Positions => _positions;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(FollowAsync, time, logger, stoppingToken);

    private async Task FollowAsync(CancellationToken stoppingToken)
    {
        await journal.Loaded.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            try
            {
                _positions = await ReadAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogUnknown(logger, e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private async Task<IReadOnlyList<(string, long)>> ReadAsync(CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand($"select name, last_seq_id from {MartenSetup.Schema}.mt_event_progression where name like '%:All' order by name");
        await using var rows = await command.ExecuteReaderAsync(cancellationToken);
        var positions = ImmutableArray.CreateBuilder<(string, long)>();
        while (await rows.ReadAsync(cancellationToken))
            positions.Add((rows.GetString(0)[..^":All".Length], rows.GetInt64(1)));
        return positions.ToImmutable();
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "How far the read models are is not known: {Why}")]
    private static partial void LogUnknown(ILogger logger, string why);
}
