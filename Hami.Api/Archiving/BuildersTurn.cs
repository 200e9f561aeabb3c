using Hami.Api.Reading;
using Npgsql;

namespace Hami.Api.Archiving;

/// <summary>Nobody else archives, puts back or builds read models until this is given back.</summary>
internal sealed class BuildersTurn : IAsyncDisposable
{
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
        // A pool may keep the connection open for long.
        if (Connection.State is System.Data.ConnectionState.Open)
            await ExecuteAsync("select pg_advisory_unlock($1)", CancellationToken.None);
        await Connection.DisposeAsync();
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, Connection) { CommandTimeout = 0, Parameters = { new() { Value = ReadModelsBuild.BuildersLock } } };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
