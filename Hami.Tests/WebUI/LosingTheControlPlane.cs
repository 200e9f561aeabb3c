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
            await live.WaitForAsync();
            await PodAsync(visit, "before").WaitForAsync();
            visit.AssertNothingWentWrong();
            await visit.Page.EvaluateAsync("window.isStillTheSame = true");

            await scene.KillApiAsync();
            await lost.WaitForAsync();
            // What was known stays in sight.
            Assert.True(await PodAsync(visit, "before").IsVisibleAsync());
            await scene.StartApiAsync();
            await lost.WaitForAsync(new() { State = WaitForSelectorState.Hidden });
            await live.WaitForAsync();
            await PlaceAsync(scene, "between");
            await PodAsync(visit, "between").WaitForAsync();

            await postgres.StopAsync();
            await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Refresh" }).ClickAsync();
            var failed = visit.Page.GetByRole(AriaRole.Alert);
            await failed.First.WaitForAsync();
            Assert.True(await PodAsync(visit, "between").IsVisibleAsync());
            var port = postgres.Port;
            await postgres.DisposeAsync();
            postgres = await PostgresServer.StartAsync(folder, port);
            await failed.First.WaitForAsync(new() { State = WaitForSelectorState.Hidden });
            await ControlPlaneScene.UntilAsync(async () => (await scene.FilterAsync("between", "n1"))["Error"]?.GetValue<string>() is null or "", () => scene.Log);
            await PlaceAsync(scene, "after");
            await PodAsync(visit, "after").WaitForAsync();
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

    private static ILocator PodAsync(Visit visit, string name) => visit.Page.GetByRole(AriaRole.Link, new() { Name = name }).First;

    private static async Task PlaceAsync(ControlPlaneScene scene, string name)
    {
        var pod = await scene.CreatePodAsync(name);
        await ControlPlaneScene.UntilAsync(async () => (await scene.FilterAsync(name, "n1"))["NodeNames"] is not null, () => scene.Log);
        Assert.Equal("", (await scene.BindAsync(pod, "n1"))["Error"]!.GetValue<string>());
    }
}
