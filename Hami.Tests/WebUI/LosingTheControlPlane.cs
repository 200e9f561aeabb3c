using Hami.Lab.ApiServer;
using Hami.Lab.Cluster;
using Hami.Tests.Given;
using Microsoft.Playwright;

namespace Hami.Tests.WebUI;

/// <summary>A control plane of its own, so that nobody else's is disturbed; the browser is the shared one.</summary>
[Collection(WebUIScene.Shared)]
public sealed class LosingTheControlPlane(WebUIScene shared)
{
    [Fact]
    [Trait("Scoreboard", "M27")]
    public async Task A_page_says_that_the_control_plane_or_its_database_is_away_and_recovers_by_itself()
    {
        var browser = shared.Browser;
        var folder = Directory.CreateTempSubdirectory("hami-test-pg-").FullName;
        var postgres = await PostgresServer.StartAsync(folder);
        try
        {
            await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, database: postgres.ConnectionString);
            await PlaceAsync(scene, "before");
            await using var visit = await Visit.BeginAsync(browser, scene.Address, new() { Token = Guard.AdminToken });
            await visit.GoAsync("/workloads");
            var lost = visit.Page.GetByRole(AriaRole.Status).Filter(new() { HasText = "Connection lost" });
            var live = visit.Page.GetByText("Live", new() { Exact = true });
            await visit.UntilAsync(live);
            await visit.UntilAsync(PodOf(visit, "before"));
            visit.AssertNothingWentWrong();
            await visit.Page.EvaluateAsync("window.isStillTheSame = true");

            await scene.KillApiAsync();
            await visit.UntilAsync(lost);
            // What was known stays in sight.
            Assert.True(await PodOf(visit, "before").IsVisibleAsync());
            await scene.StartApiAsync();
            await visit.UntilAsync(lost, isInSight: false);
            await visit.UntilAsync(live);
            await PlaceAsync(scene, "between");
            await visit.UntilAsync(PodOf(visit, "between"));

            await postgres.StopAsync();
            await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Refresh" }).ClickAsync();
            var failed = visit.Page.GetByRole(AriaRole.Alert);
            await visit.UntilAsync(failed.First);
            Assert.True(await PodOf(visit, "between").IsVisibleAsync());
            var port = postgres.Port;
            await postgres.DisposeAsync();
            postgres = await PostgresServer.StartAsync(folder, port);
            await visit.UntilAsync(failed.First, isInSight: false);
            await ControlPlaneScene.UntilAsync(async () => (await scene.FilterAsync("between", "n1"))["Error"]?.GetValue<string>() is null or "", () => scene.Log);
            await PlaceAsync(scene, "after");
            await visit.UntilAsync(PodOf(visit, "after"));
            Assert.True(await visit.Page.EvaluateAsync<bool>("window.isStillTheSame"));
        }
        finally
        {
            await postgres.DisposeAsync();
            PostgresServer.Purge(folder);
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
    }

    private static ILocator PodOf(Visit visit, string name) => visit.Page.GetByRole(AriaRole.Link, new() { Name = name, Exact = true }).First;

    private static async Task PlaceAsync(ControlPlaneScene scene, string name)
    {
        var pod = await scene.CreatePodAsync(name);
        await ControlPlaneScene.UntilAsync(async () => (await scene.FilterAsync(name, "n1"))["NodeNames"] is not null, () => scene.Log);
        Assert.Equal("", (await scene.BindAsync(pod, "n1"))["Error"]!.GetValue<string>());
    }
}
