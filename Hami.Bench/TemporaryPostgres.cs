using Hami.Lab.Cluster;

namespace Hami.Bench;

/// <summary>A durable PostgreSQL in a folder of its own, gone when disposed of.</summary>
internal sealed class TemporaryPostgres(string folder, PostgresServer server) : IAsyncDisposable
{
    public string ConnectionString => server.ConnectionString + ";Maximum Pool Size=32";

    public static async Task<TemporaryPostgres> StartAsync(CancellationToken ct)
    {
        var folder = Directory.CreateTempSubdirectory("hami-bench-").FullName;
        // Root's PostgreSQL runs as another user, who must reach its data below.
        File.SetUnixFileMode(folder, File.GetUnixFileMode(folder) | UnixFileMode.OtherExecute);
        return new(folder, await PostgresServer.StartAsync(Data(folder), ct: ct));
    }

    public async ValueTask DisposeAsync()
    {
        await server.DisposeAsync();
        PostgresServer.Purge(Data(folder));
        Directory.Delete(folder, recursive: true);
    }

    private static string Data(string folder) => Path.Combine(folder, "data");
}
