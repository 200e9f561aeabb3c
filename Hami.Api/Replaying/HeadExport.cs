using Hami.Api.Plumbing;
using Npgsql;

namespace Hami.Api.Replaying;

/// <summary>Where the log's head is exported to, and how often.</summary>
/// <param name="File">Outside the database, best where its administrators cannot write.</param>
internal sealed record HeadExportOptions(string File, SigningKey Key, TimeSpan Every);

/// <summary>Appends the log's head to a file at intervals, and at the stop, when it has moved.</summary>
internal sealed partial class HeadExport(
    HeadExportOptions options, NpgsqlDataSource database, Journal journal, TimeProvider time, ILogger<HeadExport> logger) : BackgroundService
{
    private readonly SemaphoreSlim _turn = new(1);
    private long _exported;

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (journal.Loaded.IsCompletedSuccessfully)
            await TryExportAsync(cancellationToken);
    }

    public override void Dispose()
    {
        _turn.Dispose();
        base.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(FollowAsync, time, logger, stoppingToken);

    private async Task FollowAsync(CancellationToken stoppingToken)
    {
        await journal.Loaded.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(options.Every, time);
        do
            await TryExportAsync(stoppingToken);
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    /// <summary>A full disk, or a database that is away, is said and tried again; nobody waits for the file.</summary>
    private async Task TryExportAsync(CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            var head = await JournalHeads.ReadAsync(database, cancellationToken);
            if (head is null || head.Position <= _exported)
                return;
            HeadsFile.Append(options.File, ExportedHead.Sign(head, options.Key));
            _exported = head.Position;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NpgsqlException)
        {
            LogNotExported(logger, options.File, e.Message);
        }
        finally
        {
            _turn.Release();
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The log's head was not exported to {File}: {Why}. What is written since the last export can be changed unseen until it is.")]
    private static partial void LogNotExported(ILogger logger, string file, string why);
}
