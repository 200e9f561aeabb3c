using Microsoft.Playwright;

namespace Hami.Tests.WebUI;

[Collection(WebUIScene.Shared)]
public sealed class SigningIn(WebUIScene scene)
{
    [Fact]
    [Trait("Scoreboard", "N14")]
    public async Task Who_has_no_good_token_sees_no_page_and_reads_why()
    {
        await using var visit = await scene.VisitAsync("/workloads", new());
        Assert.Equal(0, await visit.Page.GetByRole(AriaRole.Navigation).CountAsync());

        await TryAsync(visit, "secret-of-somebody-else");

        var why = visit.Page.GetByRole(AriaRole.Alert);
        await visit.UntilAsync(why);
        Assert.Contains("the API server does not know this token", await why.InnerTextAsync(), StringComparison.Ordinal);
        Assert.Equal(0, await visit.Page.GetByRole(AriaRole.Navigation).CountAsync());
        Assert.All(visit.Complaints, complaint => Assert.Contains("401", complaint, StringComparison.Ordinal));
    }

    [Fact]
    [Trait("Scoreboard", "N14")]
    public async Task Who_may_see_one_namespace_signs_in_sees_it_alone_and_signs_out_in_every_tab()
    {
        await using var visit = await scene.VisitAsync("/workloads", new());

        await TryAsync(visit, scene.OfTeamA);

        await visit.UntilAsync(visit.Page.GetByRole(AriaRole.Link, new() { Name = "trains", Exact = true }).First);
        await visit.SettleAsync();
        Assert.DoesNotContain("gpu-test", await visit.Page.Locator("main").InnerTextAsync(), StringComparison.Ordinal);
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Signed in as system:serviceaccount:team-a:of-team-a" }).ClickAsync();
        var menu = visit.Page.GetByRole(AriaRole.Menu);
        await visit.UntilAsync(menu);
        Assert.Matches("You see: team-a; no nodes and devices", await menu.InnerTextAsync());
        await visit.Page.Keyboard.PressAsync("Escape");

        // A reload keeps it, another tab has it, and none of the pages breaks for want of rights.
        foreach (var page in Pages.OfTheMenu)
            await visit.GoAsync(page);
        var tab = await visit.Page.Context.NewPageAsync();
        await tab.GotoAsync(visit.Page.Url);
        await tab.GetByRole(AriaRole.Navigation).WaitForAsync();

        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Signed in as" }).ClickAsync();
        await visit.Page.GetByRole(AriaRole.Menuitem, new() { Name = "Sign out" }).ClickAsync();
        foreach (var each in (IPage[])[visit.Page, tab])
        {
            await each.Locator("input[type=password]").WaitForAsync();
            Assert.Equal(0, await each.GetByRole(AriaRole.Navigation).CountAsync());
            Assert.Null(await each.EvaluateAsync<string?>("sessionStorage.getItem('hami-token')"));
        }
        Assert.DoesNotContain(scene.OfTeamA, await visit.Page.EvaluateAsync<string>("JSON.stringify({ ...localStorage }) + document.cookie"), StringComparison.Ordinal);
        Assert.DoesNotContain(visit.Addresses, address => address.Contains(scene.OfTeamA, StringComparison.Ordinal));
        Assert.DoesNotContain(scene.OfTeamA, await scene.LogOfTheApiAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain("secret-of-somebody-else", await scene.LogOfTheApiAsync(), StringComparison.Ordinal);
        Assert.All(visit.Complaints, complaint => Assert.Contains("401", complaint, StringComparison.Ordinal));
    }

    private static async Task TryAsync(Visit visit, string token)
    {
        await visit.Page.Locator("input[type=password]").FillAsync(token);
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
    }
}
