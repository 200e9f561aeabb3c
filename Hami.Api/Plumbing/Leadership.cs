using Npgsql;

namespace Hami.Api.Plumbing;

/// <summary>Of several processes on one database one keeps the read models: whose session holds PostgreSQL's advisory lock, for as long as that session lives.</summary>
/// <remarks>
/// The session is idle. One that keeps a transaction open or a statement running, as Marten's own leader does, keeps PostgreSQL from clearing
/// away old versions of rows for as long as it leads; and the head of the log, which every commit rewrites and reads, would soon be thousands of them.
/// </remarks>
internal sealed class Leadership : IAsyncDisposable
{
    // Any number will do that nobody else in this database locks: "hami lead" in ASCII.
    private const long Lock = 0x68616d696c656164;

    // Seconds after which the session is asked whether it still lives, where nobody ends it in good order.
    private const int KeepAlive = 10;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly NpgsqlConnection _session;

    private Leadership(NpgsqlConnection session) => _session = session;

    /// <summary>Waits until nobody else leads.</summary>
    /// <exception cref="NpgsqlException">PostgreSQL is away.</exception>
    public static async Task<Leadership> TakeAsync(string postgres, TimeProvider time, CancellationToken cancellationToken)
    {
        // Not pooled: with the connection ends the session, and the lock with it.
        var session = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(postgres) { Pooling = false, KeepAlive = KeepAlive }.ConnectionString);
        try
        {
            await session.OpenAsync(cancellationToken);
            // Asked again and again: a statement that waits for the lock holds back clearing as well.
            while (!await TryAsync(session, cancellationToken))
                await Task.Delay(Pause, time, cancellationToken);
            return new(session);
        }
        catch
        {
            await session.DisposeAsync();
            throw;
        }
    }

    /// <summary>Returns when the session is lost and somebody else may lead.</summary>
    /// <exception cref="OperationCanceledException">Cancelled before that.</exception>
    public async Task LostAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
                await _session.WaitAsync(cancellationToken);
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException)
        {
            // That is how one hears of it.
        }
    }

    public ValueTask DisposeAsync() => _session.DisposeAsync();

    private static async Task<bool> TryAsync(NpgsqlConnection session, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("select pg_try_advisory_lock($1)", session) { Parameters = { new() { Value = Lock } } };
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
