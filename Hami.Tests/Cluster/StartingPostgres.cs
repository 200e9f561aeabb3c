using Hami.Lab.Cluster;
using Hami.Tests.Given;
using Npgsql;

namespace Hami.Tests.Cluster;

public sealed class StartingPostgres
{
    [Fact]
    public async Task Every_caller_gets_an_empty_database_of_its_own()
    {
        var first = await TestPostgres.CreateDatabaseAsync();
        var second = await TestPostgres.CreateDatabaseAsync();
        await ExecuteAsync(first, "CREATE TABLE only_here (n int)");

        await using var source = NpgsqlDataSource.Create(second);
        await using var count = source.CreateCommand("SELECT count(*) FROM pg_tables WHERE tablename = 'only_here'");
        Assert.Equal(0L, await count.ExecuteScalarAsync());
    }

    [Fact]
    public async Task Data_survives_a_crash_and_a_restart_on_the_same_directory()
    {
        var folder = Directory.CreateTempSubdirectory("hami-test-pg-").FullName;
        File.SetUnixFileMode(folder, File.GetUnixFileMode(folder) | UnixFileMode.OtherExecute);
        var data = Path.Combine(folder, "data");
        try
        {
            await using (var crashing = await PostgresServer.StartAsync(data))
            {
                await ExecuteAsync(crashing.ConnectionString, "CREATE TABLE kept AS SELECT 42 AS n");
                crashing.Kill();
            }

            await using var again = await PostgresServer.StartAsync(data);
            await using var source = NpgsqlDataSource.Create(again.ConnectionString);
            await using var read = source.CreateCommand("SELECT n FROM kept");
            Assert.Equal(42, await read.ExecuteScalarAsync());
        }
        finally
        {
            PostgresServer.Purge(data);
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_second_start_replaces_a_server_that_was_left_running()
    {
        var folder = Directory.CreateTempSubdirectory("hami-test-pg-").FullName;
        File.SetUnixFileMode(folder, File.GetUnixFileMode(folder) | UnixFileMode.OtherExecute);
        var data = Path.Combine(folder, "data");
        try
        {
            await using var forgotten = await PostgresServer.StartAsync(data, durable: false);
            await using var successor = await PostgresServer.StartAsync(data, durable: false);
            Assert.NotEqual(forgotten.ProcessId, successor.ProcessId);
            await ExecuteAsync(successor.ConnectionString, "SELECT 1");
        }
        finally
        {
            PostgresServer.Purge(data);
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task ExecuteAsync(string connectionString, string sql)
    {
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false });
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}
