using Npgsql;

namespace Hami.Api.Reading;

/// <summary>Nobody else archives, puts back or builds read models until this is given back.</summary>
internal sealed class BuildersTurn : IAsyncDisposable
{
    // Any number will do that nobody else in this database locks: "hami read" in ASCII.
    private const long Lock = 0x68616d6972656164;

    private readonly string _shared;

    private BuildersTurn(NpgsqlConnection connection, string shared) => (Connection, _shared) = (connection, shared);

    public NpgsqlConnection Connection { get; }

    /// <summary>For one who builds.</summary>
    public static Task<BuildersTurn> TakeAsync(NpgsqlDataSource database, CancellationToken cancellationToken) => TakeAsync(database, "", cancellationToken);

    /// <summary>For those who only read and must not have tables taken away from under them; several may at once.</summary>
    public static Task<BuildersTurn> ShareAsync(NpgsqlDataSource database, CancellationToken cancellationToken) => TakeAsync(database, "_shared", cancellationToken);

    private static async Task<BuildersTurn> TakeAsync(NpgsqlDataSource database, string shared, CancellationToken cancellationToken)
    {
        var turn = new BuildersTurn(await database.OpenConnectionAsync(cancellationToken), shared);
        try
        {
            await turn.ExecuteAsync("lock", cancellationToken);
            return turn;
        }
        catch
        {
            await turn.Connection.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        // The pool keeps the connection, and would keep the lock with it until somebody uses it again.
        if (Connection.State is System.Data.ConnectionState.Open)
            await ExecuteAsync("unlock", CancellationToken.None);
        await Connection.DisposeAsync();
    }

    private async Task ExecuteAsync(string what, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand($"select pg_advisory_{what}{_shared}($1)", Connection) { CommandTimeout = 0, Parameters = { new() { Value = Lock } } };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
