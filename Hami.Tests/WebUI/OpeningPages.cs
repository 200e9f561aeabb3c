using System.Text.RegularExpressions;
using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Hami.Lab.ApiServer;
using Microsoft.Playwright;

namespace Hami.Tests.WebUI;

[Collection(WebUIScene.Shared)]
public sealed class OpeningPages(WebUIScene scene)
{
    // What a reader of Chinese reads in Latin letters: names of products, of what somebody made, and terms that Kubernetes and NVIDIA write so.
    private const string ReadByAll = "^(HAMi|GraphQL|English|GPU|UUID|UID|IP|CPU|MIG|NUMA|Pod|CSV|Top 5|(NVIDIA|Tesla).*|[a-z0-9][a-z0-9./ -]*)$";

    public static TheoryData<string> EveryPage => [.. Pages.All];

    [Fact]
    [Trait("Scoreboard", "M24")]
    public async Task The_menu_leads_to_every_page_and_the_browsers_back_leads_back()
    {
        await using var visit = await scene.VisitAsync("/");
        var menu = visit.Page.GetByRole(AriaRole.Navigation, new() { Name = "Pages" }).GetByRole(AriaRole.Link);
        Assert.Equal(Pages.OfTheMenu.Count, await menu.CountAsync());

        for (var i = Pages.OfTheMenu.Count - 1; i >= 0; i--)
        {
            await menu.Nth(i).ClickAsync();
            await visit.UntilAsync($"location.pathname === '{Pages.OfTheMenu[i]}' && document.querySelectorAll('nav a')[{i}].ariaCurrent === 'page'");
            await visit.SettleAsync();
            Assert.Equal(1, await visit.Heading.CountAsync());
            Assert.EndsWith("· HAMi", await visit.Page.TitleAsync(), StringComparison.Ordinal);
        }
        await visit.Page.GoBackAsync();
        await visit.UntilAsync($"location.pathname === '{Pages.OfTheMenu[1]}'");
        await visit.SettleAsync();
        await visit.Page.GoForwardAsync();
        await visit.UntilAsync("location.pathname === '/'");
        await visit.SettleAsync();

        visit.AssertNothingWentWrong();
    }

    /// <remarks>Every other test of the pages reads them in English and in light.</remarks>
    [Theory]
    [Trait("Scoreboard", "M22")]
    [Trait("Scoreboard", "M24")]
    [MemberData(nameof(EveryPage))]
    public Task A_page_opens_by_its_address_in_Chinese_and_in_dark_accessible_to_all_and_on_a_phone(string page) => OpensAsync(page, isChinese: true);

    [Theory]
    [Trait("Category", "Long")]
    [MemberData(nameof(EveryPage))]
    public Task A_page_opens_by_its_address_in_English_and_in_light_accessible_to_all_and_on_a_phone(string page) => OpensAsync(page, isChinese: false);

    [Fact]
    [Trait("Scoreboard", "M24")]
    public async Task An_address_without_a_page_says_so_and_leads_home()
    {
        await using var visit = await scene.VisitAsync("/no/such/page");
        Assert.Equal("There is no such page", await visit.Heading.InnerTextAsync());

        await visit.Page.GetByRole(AriaRole.Link, new() { Name = "To the overview" }).ClickAsync();

        await visit.UntilAsync("location.pathname === '/'");
        await visit.SettleAsync();
        visit.AssertNothingWentWrong();
    }

    [Fact]
    public async Task The_first_load_is_at_most_300_KiB_on_the_wire()
    {
        await using var visit = await scene.VisitAsync("/");

        var sizes = await visit.ReadAsync<Dictionary<string, long>>(
            """
            Object.fromEntries([...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
              .filter((entry) => !entry.name.includes('/graphql')).map((entry) => [entry.name, entry.encodedBodySize]))
            """);

        Assert.True(sizes.Count > 4, string.Join(", ", sizes));
        Assert.True(sizes.Values.Sum() <= 300 * 1024, string.Join(", ", sizes.OrderByDescending(s => s.Value)));
    }

    private async Task OpensAsync(string page, bool isChinese)
    {
        await using var visit = await scene.VisitAsync(
            await scene.AddressOfAsync(page), new() { Token = Guard.AdminToken, Locale = isChinese ? "zh-CN" : "en-GB", Scheme = isChinese ? ColorScheme.Dark : ColorScheme.Light });

        visit.AssertNothingWentWrong();
        Assert.Equal(isChinese ? "zh-CN" : "en", await visit.Page.EvaluateAsync<string>("document.documentElement.lang"));
        Assert.Equal(isChinese ? "dark" : "light", await visit.Page.EvaluateAsync<string>("document.documentElement.dataset.mantineColorScheme"));
        Assert.Empty(await visit.ReadAsync<string[]>(KeysInsteadOfWords));
        Assert.DoesNotContain(await visit.ReadAsync<string[]>(WordsOfTheOther(isChinese)), text => !Regex.IsMatch(text, ReadByAll, RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(10)));
        await AssertAccessibleAsync(visit);

        await visit.Page.SetViewportSizeAsync(375, 800);
        // Charts are drawn anew a moment later.
        await visit.UntilAsync("document.documentElement.scrollWidth <= 375");
        visit.AssertNothingWentWrong();
    }

    private static async Task AssertAccessibleAsync(Visit visit)
    {
        var found = await visit.Page.RunAxe();
        var serious = found.Violations.Where(violation => violation.Impact is "serious" or "critical")
            .Select(violation => $"{violation.Id} ({violation.Impact}): {violation.Help}\n  {string.Join("\n  ", violation.Nodes.Take(5).Select(Describe))}").ToList();
        Assert.True(serious.Count == 0, $"{visit.PathAndQuery}:\n{string.Join('\n', serious)}");
        Assert.NotEmpty(found.Passes);
    }

    private static string Describe(AxeResultNode node) => $"{node.Html} — {string.Join("; ", node.Any.Concat(node.All).Concat(node.None).Select(check => check.Message))}";

    /// <summary>Texts that are a key of the words: where a word is missing, its key is shown.</summary>
    private const string KeysInsteadOfWords =
        """
        (() => {
          const texts = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
          while (walk.nextNode()) texts.push(walk.currentNode.data.trim())
          for (const element of document.querySelectorAll('[aria-label], [title], [placeholder]'))
            for (const name of ['aria-label', 'title', 'placeholder']) texts.push(element.getAttribute(name) ?? '')
          return texts.filter((text) => /^(access|observing|placing|plumbing|registering|replaying):|^[a-z][a-zA-Z]*(\.[a-z][a-zA-Z0-9_]*)+$|\{\{/.test(text) && !/\.(com|io)$/.test(text))
        })()
        """;

    /// <summary>Words of headings, columns, buttons and links of the menu that are in the language that was not asked for.</summary>
    private static string WordsOfTheOther(bool isChinese) =>
        $$"""
        [...new Set([...document.querySelectorAll('nav a, main h1, main h2, main h3, main h4, th, main button, main label, [role=tab]')].map((e) => e.innerText.trim()))]
          .filter((text) => {{(isChinese ? @"/[A-Za-z]{2}/.test(text) && !/[\u4e00-\u9fff]/.test(text)" : @"/[\u4e00-\u9fff]/.test(text)")}})
        """;
}
