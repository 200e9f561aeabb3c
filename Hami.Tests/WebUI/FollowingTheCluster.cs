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
        await visit.UntilAsync(visit.Page.GetByText("Live", new() { Exact = true }));
        await visit.Page.EvaluateAsync("window.isStillTheSame = true");
        var row = visit.Page.GetByRole(AriaRole.Link, new() { Name = "comes-and-goes", Exact = true });
        Assert.Equal(0, await row.CountAsync());

        await scene.CreatePodAsync("comes-and-goes");

        await visit.UntilAsync(row);
        await scene.AllocationAsync("comes-and-goes");
        await scene.DeletePodAsync("comes-and-goes");
        await visit.UntilAsync(row, isInSight: false);
        Assert.True(await visit.Page.EvaluateAsync<bool>("window.isStillTheSame"));
        visit.AssertNothingWentWrong();
    }

    [Fact]
    [Trait("Scoreboard", "M31")]
    public async Task A_pod_that_fits_nowhere_appears_among_those_that_wait()
    {
        await using var visit = await scene.VisitAsync("/pending");
        await visit.UntilAsync(visit.Page.GetByText("Live", new() { Exact = true }));
        var row = visit.Page.GetByText("far-too-large").First;

        await scene.CreatePodAsync("far-too-large", memoryMiB: 1_000_000);

        await visit.UntilAsync(row);
        await scene.DeletePodAsync("far-too-large");
        await visit.UntilAsync(row, isInSight: false);
        visit.AssertNothingWentWrong();
    }
}
