using Hami.Lab.Cluster;
using Hami.Tests.Given;

namespace Hami.Tests.Plumbing;

public sealed class LosingTheDatabase
{
    [Fact]
    public async Task While_PostgreSQL_is_away_filter_and_bind_say_so_and_afterwards_all_goes_on()
    {
        var folder = Directory.CreateTempSubdirectory("hami-test-pg-").FullName;
        try
        {
            var postgres = await PostgresServer.StartAsync(folder);
            await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, database: postgres.ConnectionString);
            var first = await scene.CreatePodAsync("p1");
            await scene.FilterAsync("p1", "n1");
            await scene.BindAsync(first, "n1");
            var second = await scene.CreatePodAsync("p2");
            await scene.FilterAsync("p2", "n1");

            // Stopped, not killed: a backend may outlive its killed postmaster for a moment, and write.
            await postgres.StopAsync();
            // The bind finds it out itself, or another write has before it.
            Assert.Matches("(could not|cannot) write", (await scene.BindAsync(second, "n1"))["Error"]!.GetValue<string>());
            var refused = await scene.FilterAsync("p2", "n1");
            Assert.Contains("PostgreSQL is away", refused["Error"]!.GetValue<string>(), StringComparison.Ordinal);
            Assert.Null(refused["NodeNames"]);
            Assert.Null((await scene.FindPodAsync("p2"))!.Spec.NodeName);

            var port = postgres.Port;
            await postgres.DisposeAsync();
            await using var again = await PostgresServer.StartAsync(folder, port);
            await ControlPlaneScene.UntilAsync(async () => (await scene.FilterAsync("p2", "n1"))["NodeNames"] is not null, () => scene.Log);
            Assert.Equal("", (await scene.BindAsync(second, "n1"))["Error"]!.GetValue<string>());
            await scene.AssertBooksAgreeAsync();
        }
        finally
        {
            PostgresServer.Purge(folder);
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
    }
}
