using Hami.Lab.Cluster;

namespace Hami.Bench;

/// <summary>A durable PostgreSQL in a folder of its own, gone when disposed of unless it is to be kept.</summary>
internal sealed class TemporaryPostgres(string folder, PostgresServer server, bool isKept) : IAsyncDisposable
{
    public string ConnectionString => server.ConnectionString + ";Maximum Pool Size=32";

    /// <summary>Starts one.</summary>
    /// <param name="keep">Folder where the data stays, and is found again; null for none.</param>
    public static async Task<TemporaryPostgres> StartAsync(CancellationToken ct, string? keep = null)
    {
        var folder = keep is null ? Directory.CreateTempSubdirectory("hami-bench-").FullName : Directory.CreateDirectory(keep).FullName;
        // Root's PostgreSQL runs as another user, who must reach its data below.
        File.SetUnixFileMode(folder, File.GetUnixFileMode(folder) | UnixFileMode.OtherExecute);
        return new(folder, await PostgresServer.StartAsync(Data(folder), ct: ct), keep is not null);
    }

    public async ValueTask DisposeAsync()
    {
        await server.DisposeAsync();
        if (isKept)
            return;
        PostgresServer.Purge(Data(folder));
        Directory.Delete(folder, recursive: true);
    }

    private static string Data(string folder) => Path.Combine(folder, "data");
}
