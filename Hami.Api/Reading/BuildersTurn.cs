using Npgsql;

namespace Hami.Api.Reading;

/// <summary>Nobody else archives, puts back or builds read models until this is given back.</summary>
internal sealed class BuildersTurn : IAsyncDisposable
{
    // Any number will do that nobody else in this database locks: "hami read" in ASCII.
    private const long Lock = 0x68616d6972656164;

    private BuildersTurn(NpgsqlConnection connection) => Connection = connection;

    public NpgsqlConnection Connection { get; }

    public static async Task<BuildersTurn> TakeAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        var turn = new BuildersTurn(await database.OpenConnectionAsync(cancellationToken));
        try
        {
            await turn.ExecuteAsync("select pg_advisory_lock($1)", cancellationToken);
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
            await ExecuteAsync("select pg_advisory_unlock($1)", CancellationToken.None);
        await Connection.DisposeAsync();
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, Connection) { CommandTimeout = 0, Parameters = { new() { Value = Lock } } };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
