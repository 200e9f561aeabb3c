using System.Globalization;
using Npgsql;

namespace Hami.Api.Plumbing;

/// <summary>Hears of what other processes append, so that this one reads on at once.</summary>
/// <param name="own">Makes the connection that listens; a session that listens must not come to others.</param>
/// <param name="pool">Connections of this process to the same database, which are dead when that one is.</param>
internal sealed partial class LogListener(NpgsqlDataSource own, NpgsqlDataSource pool, Journal journal, TimeProvider time, ILogger<LogListener> logger) : BackgroundService
{
    // Should a word be lost, what it said is read a little later.
    private static readonly TimeSpan LookAnyway = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(ListenAsync, time, logger, stoppingToken);

    private async Task ListenAsync(CancellationToken stoppingToken)
    {
        await journal.Loaded.WaitAsync(stoppingToken);
        while (true)
        {
            try
            {
                await using var connection = await own.OpenConnectionAsync(stoppingToken);
                connection.Notification += (_, told) => journal.ReadOnTo(long.Parse(told.Payload, CultureInfo.InvariantCulture));
                await using (var listen = new NpgsqlCommand($"listen {LogAppend.Channel}; set synchronous_commit = off", connection))
                    await listen.ExecuteNonQueryAsync(stoppingToken);
                while (true)
                {
                    await LookAsync(connection, stoppingToken);
                    var looked = time.GetTimestamp();
                    await connection.WaitAsync(LookAnyway, stoppingToken);
                    // Each word is heard as it comes; under load, many of them are followed by one look.
                    // Of less than a millisecond Npgsql makes none, which to it means for ever.
                    while (Pace - time.GetElapsedTime(looked) is { TotalMilliseconds: >= 1 } left)
                        await connection.WaitAsync(left, stoppingToken);
                }
            }
            catch (Exception e) when (e is NpgsqlException or TimeoutException && !stoppingToken.IsCancellationRequested)
            {
                LogDeaf(logger, e.Message);
                pool.Clear();
                await Task.Delay(Pause, time, stoppingToken);
            }
        }
    }

    private async Task LookAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // In this order: a log that ends before what was followed is another one, even if nobody writes to it.
        var followed = journal.Ledger.Position;
        var head = await JournalHeads.ShowAsync(connection, cancellationToken);
        if (head < followed)
            journal.LookAgain();
        else
            journal.ReadOnTo(head);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Nothing is heard of what other processes append: {Why}")]
    private static partial void LogDeaf(ILogger logger, string why);
}
