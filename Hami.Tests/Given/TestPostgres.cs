using Hami.Lab.Cluster;
using Npgsql;
using Testcontainers.PostgreSql;

[assembly: AssemblyFixture(typeof(Hami.Tests.Given.TestPostgresLifetime))]

namespace Hami.Tests.Given;

/// <summary>One PostgreSQL for all tests of this process, started when the first asks; each caller gets a database of its own.</summary>
/// <remarks>
/// <c>HAMI_TEST_POSTGRES</c> (a connection string of somebody who may create databases) if set; else Docker if an engine is there;
/// else the machine's PostgreSQL binaries.
/// </remarks>
public static class TestPostgres
{
    private static readonly Lock Gate = new();
    private static readonly SemaphoreSlim OneAtATime = new(1); // CREATE DATABASE copies a template that nobody else may be reading
    private static Task<Server>? s_server;

    /// <summary>A new empty database; returns its connection string.</summary>
    public static async Task<string> CreateDatabaseAsync()
    {
        var server = await StartedAsync();
        var name = $"test_{Guid.NewGuid():N}";
        await OneAtATime.WaitAsync();
        try
        {
            await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(server.ConnectionString) { Pooling = false });
            await using var create = source.CreateCommand($"CREATE DATABASE {name}");
            await create.ExecuteNonQueryAsync();
        }
        finally
        {
            OneAtATime.Release();
        }

        // Idle connections of finished tests would otherwise add up to the server's limit.
        return new NpgsqlConnectionStringBuilder(server.ConnectionString)
        {
            Database = name,
            Timeout = 60, // of connecting, in seconds: the machine may have other work
            MaxPoolSize = 20,
            ConnectionIdleLifetime = 10,
            ConnectionPruningInterval = 5,
        }.ConnectionString;
    }

    internal static async ValueTask StopAsync()
    {
        if (s_server is not null)
            await (await s_server).StopAsync();
    }

    private static Task<Server> StartedAsync()
    {
        lock (Gate)
            return s_server ??= StartAsync();
    }

    private static async Task<Server> StartAsync()
    {
        if (Environment.GetEnvironmentVariable("HAMI_TEST_POSTGRES") is { Length: > 0 } given)
            return new Server(given, () => Task.CompletedTask);
        if (DockerAnswers)
        {
            var container = new PostgreSqlBuilder("postgres:16").Build();
            await container.StartAsync();
            return new Server(container.GetConnectionString(), () => container.DisposeAsync().AsTask());
        }

        var folder = Directory.CreateTempSubdirectory("hami-test-pg-").FullName;
        File.SetUnixFileMode(folder, File.GetUnixFileMode(folder) | UnixFileMode.OtherExecute); // root's server runs as another user
        var data = Path.Combine(folder, "data");
        var postgres = await PostgresServer.StartAsync(data, durable: false);
        return new Server(postgres.ConnectionString, async () =>
        {
            await postgres.DisposeAsync();
            PostgresServer.Purge(data);
            Directory.Delete(folder, recursive: true);
        });
    }

    private static bool DockerAnswers =>
        File.Exists("/var/run/docker.sock") || Environment.GetEnvironmentVariable("DOCKER_HOST") is { Length: > 0 };

    private sealed record Server(string ConnectionString, Func<Task> StopAsync);
}

/// <summary>Ends the tests' PostgreSQL with the test run.</summary>
public sealed class TestPostgresLifetime : IAsyncDisposable
{
    public ValueTask DisposeAsync() => TestPostgres.StopAsync();
}
