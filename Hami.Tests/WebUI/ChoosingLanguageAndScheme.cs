using Hami.Lab.ApiServer;
using Microsoft.Playwright;

namespace Hami.Tests.WebUI;

[Collection(WebUIScene.Shared)]
public sealed class ChoosingLanguageAndScheme(WebUIScene scene)
{
    [Theory]
    [Trait("Scoreboard", "M22")]
    [InlineData("en-US", "en", "Nodes")]
    [InlineData("zh-TW", "zh-CN", "节点")]
    [InlineData("fr-FR", "en", "Nodes")]
    public async Task The_first_language_is_the_browsers_where_we_speak_it_and_English_elsewhere(string browser, string spoken, string nodes)
    {
        await using var visit = await scene.VisitAsync("/no-page", new() { Token = Guard.AdminToken, Locale = browser });

        Assert.Equal(spoken, await LanguageAsync(visit));
        Assert.True(await visit.Page.GetByRole(AriaRole.Link, new() { Name = nodes, Exact = true }).IsVisibleAsync());
    }

    [Fact]
    [Trait("Scoreboard", "M22")]
    public async Task A_language_that_was_chosen_is_spoken_at_once_and_remembered()
    {
        await using var visit = await scene.VisitAsync("/no-page");

        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Language" }).ClickAsync();
        await visit.Page.GetByRole(AriaRole.Menuitem, new() { Name = "中文" }).ClickAsync();
        await visit.UntilAsync(visit.Page.GetByRole(AriaRole.Heading, new() { Name = "没有这个页面" }));
        Assert.Equal("zh-CN", await LanguageAsync(visit));
        await visit.ReloadAsync();
        Assert.Equal("没有这个页面", await visit.Heading.InnerTextAsync());

        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "语言" }).ClickAsync();
        await visit.Page.GetByRole(AriaRole.Menuitem, new() { Name = "English" }).ClickAsync();
        await visit.UntilAsync(visit.Page.GetByRole(AriaRole.Heading, new() { Name = "There is no such page" }));
        visit.AssertNothingWentWrong();
    }

    [Theory]
    [InlineData(ColorScheme.Light, "light", "dark")]
    [InlineData(ColorScheme.Dark, "dark", "light")]
    public async Task Dark_and_light_follow_the_system_until_somebody_chooses(ColorScheme system, string first, string chosen)
    {
        await using var visit = await scene.VisitAsync("/no-page", new() { Token = Guard.AdminToken, Scheme = system });
        Assert.Equal(first, await SchemeAsync(visit));

        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Dark or light" }).ClickAsync();

        await visit.UntilAsync($"document.documentElement.dataset.mantineColorScheme === '{chosen}'");
        // Before anything is painted: what comes after the first script would flash.
        await visit.Page.ReloadAsync(new() { WaitUntil = WaitUntilState.Commit });
        await visit.UntilAsync("document.body");
        Assert.Equal(chosen, await SchemeAsync(visit));
        await visit.SettleAsync();
        visit.AssertNothingWentWrong();
    }

    private static Task<string> LanguageAsync(Visit visit) => visit.Page.EvaluateAsync<string>("document.documentElement.lang");

    private static Task<string> SchemeAsync(Visit visit) => visit.Page.EvaluateAsync<string>("document.documentElement.dataset.mantineColorScheme");
}
