using Microsoft.Playwright;

namespace Hami.Tests.WebUI;

[Collection(WebUIScene.Shared)]
public sealed class FindingInAList(WebUIScene scene)
{
    [Theory]
    [Trait("Scoreboard", "M23")]
    [InlineData("/nodes")]
    [InlineData("/pending")]
    public async Task Columns_that_somebody_puts_away_stay_away(string list)
    {
        await using var visit = await scene.VisitAsync(list);
        var columns = ColumnsOf(visit);
        var before = await columns.AllInnerTextsAsync();
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Columns" }).ClickAsync();
        var choices = visit.Page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Checkbox);
        Assert.True(await choices.First.IsDisabledAsync(), "The first column says what a row is of.");

        await visit.Page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Checkbox, new() { Checked = true }).Nth(1).UncheckAsync();

        await visit.UntilAsync($"document.querySelectorAll('table[aria-rowcount] th').length === {before.Count - 1}");
        await visit.ReloadAsync();
        var after = await columns.AllInnerTextsAsync();
        Assert.Equal(before.Where((_, i) => i != 1), after);
        visit.AssertNothingWentWrong();
    }

    [Theory]
    [Trait("Scoreboard", "M32")]
    [InlineData("/nodes", "n3", "n1")]
    [InlineData("/devices", "V100", "RTX 4090")]
    [InlineData("/workloads", "percent", "gpu-test")]
    [InlineData("/pending", "impossible", "")]
    [InlineData("/usage", "team-a", "default")]
    public async Task What_is_searched_for_stands_in_the_address_and_is_all_that_is_shown(string list, string text, string other)
    {
        await using var visit = await scene.VisitAsync(list);
        var rows = visit.Page.Locator("tbody tr[data-index]");
        var search = visit.Page.GetByRole(AriaRole.Searchbox);
        await search.FillAsync(text);

        await visit.UntilAsync($"new URLSearchParams(location.search).get('q') === '{text}'");
        await visit.UntilAsync($"[...document.querySelectorAll('tbody tr[data-index]')].every((row) => row.innerText.includes('{text}'))");
        await visit.SettleAsync();
        Assert.True(await rows.CountAsync() > 0);
        if (other.Length > 0)
            Assert.DoesNotContain(other, string.Join('\n', await rows.AllInnerTextsAsync()), StringComparison.Ordinal);

        // The address can be sent to a colleague.
        await visit.ReloadAsync();
        Assert.Equal(text, await search.InputValueAsync());
        Assert.All(await rows.AllInnerTextsAsync(), row => Assert.Contains(text, row, StringComparison.Ordinal));

        await search.FillAsync("nothing has this name");
        await visit.UntilAsync(visit.Page.GetByText("Nothing matches “nothing has this name”"));
        visit.AssertNothingWentWrong();
    }

    /// <remarks>What the server's orders mean is tested with the questions; here, that every column's heading asks for one.</remarks>
    [Theory]
    [Trait("Scoreboard", "M32")]
    [InlineData("/pending")]
    public Task Every_column_sorts_up_and_down_and_the_address_says_how(string list) => SortByEveryColumnAsync(list);

    /// <remarks>Their many columns take a minute.</remarks>
    [Theory]
    [Trait("Category", "Long")]
    [InlineData("/nodes")]
    [InlineData("/devices")]
    [InlineData("/workloads")]
    [InlineData("/namespaces")]
    [InlineData("/usage?by=owner,node,device")]
    [InlineData("/usage?view=idle")]
    public Task Every_column_of_the_other_lists_sorts_up_and_down_too(string list) => SortByEveryColumnAsync(list);

    [Fact]
    public async Task What_came_between_two_moments_is_sorted_by_its_headings()
    {
        await using var visit = await scene.VisitAsync("/history?show=compare");
        var came = visit.Page.GetByRole(AriaRole.Table, new() { Name = "Pods that came" });
        var pods = came.GetByRole(AriaRole.Row).GetByRole(AriaRole.Cell).Filter(new() { HasText = "default/" });
        var before = await pods.AllInnerTextsAsync();
        Assert.True(before.Count > 2, "All of the scene came within the hour.");

        await came.GetByRole(AriaRole.Button, new() { Name = "Pod" }).ClickAsync();

        await visit.UntilAsync(came.GetByRole(AriaRole.Columnheader, new() { Name = "Pod" }).And(visit.Page.Locator("[aria-sort=descending]")));
        Assert.Equal(before.Reverse(), await pods.AllInnerTextsAsync());
        visit.AssertNothingWentWrong();
    }

    private async Task SortByEveryColumnAsync(string list)
    {
        await using var visit = await scene.VisitAsync(list);
        var sorted = ColumnsOf(visit).Filter(new() { Has = visit.Page.GetByRole(AriaRole.Button) });
        var count = await sorted.CountAsync();
        Assert.True(count > 1, "Columns can be sorted.");
        var rows = await visit.Page.Locator("tbody tr[data-index]").CountAsync();

        for (var i = 0; i < count; i++)
        {
            var header = sorted.Nth(i);
            var seen = new List<string>();
            foreach (var _ in (int[])[1, 2])
            {
                await header.GetByRole(AriaRole.Button).ClickAsync();
                await visit.SettleAsync();
                seen.Add($"{await header.GetAttributeAsync("aria-sort")} {System.Web.HttpUtility.ParseQueryString(new Uri(visit.Page.Url).Query)["sort"]}");
            }
            var sort = seen[0].Split(' ')[1].TrimStart('-');
            Assert.Equal([$"ascending {sort}", $"descending -{sort}"], seen.Order(StringComparer.Ordinal));
        }
        await visit.ReloadAsync();
        Assert.Equal(rows, await visit.Page.Locator("tbody tr[data-index]").CountAsync());
        visit.AssertNothingWentWrong();
    }

    // A page may have other tables beside its list.
    private static ILocator ColumnsOf(Visit visit) => visit.Page.Locator("table[aria-rowcount]").GetByRole(AriaRole.Columnheader);
}
