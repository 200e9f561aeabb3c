using Microsoft.Playwright;

namespace Hami.Tests.WebUI;

[Collection(WebUIScene.Shared)]
public sealed class FollowingTheCluster(WebUIScene scene)
{
    [Fact]
    [Trait("Scoreboard", "M31")]
    public async Task A_new_pod_appears_without_a_reload_and_goes_as_it_came()
    {
        await using var visit = await scene.VisitAsync("/workloads");
        await visit.Page.GetByText("Live", new() { Exact = true }).WaitForAsync();
        await visit.Page.EvaluateAsync("window.isStillTheSame = true");
        var row = visit.Page.GetByRole(AriaRole.Link, new() { Name = "comes-and-goes" });
        Assert.Equal(0, await row.CountAsync());

        await scene.CreatePodAsync("comes-and-goes");

        await row.WaitForAsync();
        await scene.AllocationAsync("comes-and-goes");
        await scene.DeletePodAsync("comes-and-goes");
        await row.WaitForAsync(new() { State = WaitForSelectorState.Hidden });
        Assert.True(await visit.Page.EvaluateAsync<bool>("window.isStillTheSame"));
        visit.AssertNothingWentWrong();
    }

    [Fact]
    [Trait("Scoreboard", "M31")]
    public async Task A_pod_that_fits_nowhere_appears_among_those_that_wait()
    {
        await using var visit = await scene.VisitAsync("/pending");
        await visit.Page.GetByText("Live", new() { Exact = true }).WaitForAsync();
        var row = visit.Page.GetByText("far-too-large").First;

        await scene.CreatePodAsync("far-too-large", memoryMiB: 1_000_000);

        await row.WaitForAsync();
        await scene.DeletePodAsync("far-too-large");
        await row.WaitForAsync(new() { State = WaitForSelectorState.Hidden });
        visit.AssertNothingWentWrong();
    }
}
