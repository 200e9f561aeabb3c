using Microsoft.Playwright;

namespace Hami.Tests.WebUI;

[Collection(WebUIScene.Shared)]
public sealed class LookingBack(WebUIScene scene)
{
    [Fact]
    public async Task A_page_of_a_moment_shows_who_held_a_card_then_and_its_links_stay_at_that_moment()
    {
        var held = await scene.AllocationAsync("ended");
        await WaitUntilEndedAsync();
        var placed = held["placedAt"]!.GetValue<DateTimeOffset>();

        await using var visit = await scene.VisitAsync($"/workloads?at={At(placed.AddMilliseconds(-1))}");
        Assert.Equal(0, await RowOf(visit).CountAsync());
        Assert.True(await visit.Page.GetByRole(AriaRole.Link, new() { Name = "gpu-test", Exact = true }).First.IsVisibleAsync());

        await visit.GoAsync($"/workloads?at={At(placed.AddMilliseconds(1))}");
        await visit.UntilAsync(RowOf(visit).First);

        await RowOf(visit).First.ClickAsync();
        await visit.UntilAsync("location.pathname.startsWith('/workloads/')");
        await visit.SettleAsync();
        Assert.Contains("at=", visit.PathAndQuery, StringComparison.Ordinal);
        await visit.Page.GetByRole(AriaRole.Navigation).GetByRole(AriaRole.Link, new() { Name = "Devices" }).ClickAsync();
        await visit.UntilAsync("location.pathname === '/devices'");
        Assert.Contains("at=", visit.PathAndQuery, StringComparison.Ordinal);
        await visit.SettleAsync();
        visit.AssertNothingWentWrong();
    }

    [Theory]
    [MemberData(nameof(EveryPage))]
    public async Task Every_page_opens_at_a_past_moment(string page)
    {
        var held = await scene.AllocationAsync("memory");
        await using var visit = await scene.VisitAsync($"{await scene.AddressOfAsync(page)}?at={At(held["attachedAt"]!.GetValue<DateTimeOffset>())}");

        Assert.Equal(1, await visit.Heading.CountAsync());
        Assert.Equal(0, await visit.Page.GetByRole(AriaRole.Alert).CountAsync());
        visit.AssertNothingWentWrong();
    }

    public static TheoryData<string> EveryPage => [.. Pages.All];

    private static ILocator RowOf(Visit visit) => visit.Page.GetByRole(AriaRole.Link, new() { Name = "ended", Exact = true });

    private static string At(DateTimeOffset moment) => moment.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'");

    private Task WaitUntilEndedAsync() => Given.ControlPlaneScene.UntilAsync(
        async () => (await scene.AllocationAsync("ended"))["releasedAt"] is not null, () => "what ended still holds its card");
}
