using System.Text.Json.Nodes;
using Microsoft.Playwright;

namespace Hami.Tests.WebUI;

/// <summary>From what a page sums up to what it is made of.</summary>
[Collection(WebUIScene.Shared)]
public sealed class GoingDeeper(WebUIScene scene)
{
    private const string NothingAlone = "No single change would let it fit.";

    [Theory]
    [Trait("Scoreboard", "M02")]
    [Trait("Scoreboard", "M03")]
    [InlineData("Schedulable", "/nodes?schedulable=true", "{ nodes(filter: { schedulable: true }) { totalCount } }", "nodes")]
    [InlineData("Ready", "/nodes?ready=true", "{ nodes(filter: { ready: true }) { totalCount } }", "nodes")]
    [InlineData("Healthy", "/devices?healthy=true", "{ devices(filter: { healthy: true }) { totalCount } }", "devices")]
    [InlineData("Shared out", "/devices?used=true", "{ devices(filter: { used: true }) { totalCount } }", "devices")]
    public async Task A_number_of_the_overview_leads_to_just_as_many_rows(string link, string address, string question, string field)
    {
        var expected = (await scene.AskAsync(question))[field]!["totalCount"]!.GetValue<int>();
        await using var visit = await scene.VisitAsync("/");

        await visit.Page.GetByRole(AriaRole.Main).GetByRole(AriaRole.Link, new() { Name = link, Exact = true }).First.ClickAsync();

        await visit.UntilAsync($"location.pathname + location.search === '{address}'");
        await RowsAsync(visit, expected);
        visit.AssertNothingWentWrong();
    }

    [Fact]
    [Trait("Scoreboard", "M04")]
    public async Task A_model_of_the_overview_leads_to_its_cards()
    {
        var type = (await scene.AskAsync("{ cluster { types { type devices } } }"))["cluster"]!["types"]!.AsArray().MinBy(t => t!["devices"]!.GetValue<int>())!;
        await using var visit = await scene.VisitAsync("/");

        await visit.Page.GetByRole(AriaRole.Main).GetByText($"{type["type"]}", new() { Exact = true }).First.ClickAsync();

        await visit.UntilAsync($"location.pathname === '/devices' && new URLSearchParams(location.search).get('type') === '{type["type"]}'");
        await RowsAsync(visit, type["devices"]!.GetValue<int>());
        visit.AssertNothingWentWrong();
    }

    [Fact]
    [Trait("Scoreboard", "M07")]
    [Trait("Scoreboard", "M08")]
    public async Task The_fullest_nodes_stand_in_their_order_and_lead_to_their_pages()
    {
        var nodes = (await scene.AskAsync("{ nodes(first: 500) { items { name pods cores usedCores } } cluster { nodes podsPerNode { nodes } } }"))!;
        var fullest = nodes["nodes"]!["items"]!.AsArray().Select(n => n!).ToList();
        await using var visit = await scene.VisitAsync("/");

        var shown = await visit.ReadAsync<string[]>("[...document.querySelectorAll('[data-testid=\"overview-top-compute\"] > li a')].map((link) => link.innerText)");
        var parts = shown.Select(name => fullest.Single(n => $"{n["name"]}" == name)).Select(n => n["usedCores"]!.GetValue<double>() / n["cores"]!.GetValue<double>()).ToList();
        Assert.Equal(Math.Min(5, fullest.Count), shown.Length);
        Assert.Equal(parts.OrderDescending(), parts);
        foreach (var node in fullest.Where(n => n["pods"]!.GetValue<int>() > 0))
            Assert.Equal($"{node["pods"]}", await visit.Page.GetByTestId($"overview-pods-{node["name"]}").GetAttributeAsync("data-value"));
        // The histogram counts every node once.
        Assert.Equal(nodes["cluster"]!["nodes"]!.GetValue<int>(), nodes["cluster"]!["podsPerNode"]!.AsArray().Sum(b => b!["nodes"]!.GetValue<int>()));

        await visit.FollowAsync(visit.Page.GetByTestId("overview-top-compute").GetByRole(AriaRole.Link).First, $"/nodes/{shown[0]}");
        Assert.Equal(shown[0], await visit.Heading.InnerTextAsync());
        visit.AssertNothingWentWrong();
    }

    [Theory]
    [Trait("Scoreboard", "M05")]
    [Trait("Scoreboard", "M06")]
    [InlineData("30 days", "30d", 30 * 24)]
    [InlineData("7 days", "7d", 7 * 24)]
    [InlineData("6 h", "6h", 6)]
    public async Task A_trend_is_asked_for_as_long_as_somebody_chooses_in_steps_that_fit(string choice, string range, int hours)
    {
        await using var visit = await scene.VisitAsync("/");

        var request = await visit.Page.RunAndWaitForRequestAsync(
            () => visit.Page.GetByText(choice, new() { Exact = true }).First.ClickAsync(), r => r.PostData?.Contains("allocationTrend", StringComparison.Ordinal) == true && Hours(r) >= hours);

        var asked = JsonNode.Parse(request.PostData!)!["variables"]!;
        // It begins with a whole step.
        Assert.InRange(Hours(request), hours, hours + asked["stepSeconds"]!.GetValue<int>() / 3600.0 + 0.02);
        Assert.InRange(hours * 3600 / asked["stepSeconds"]!.GetValue<int>(), 20, 150);
        await visit.UntilAsync($"new URLSearchParams(location.search).get('range') === '{range}'");
        await visit.SettleAsync();
        visit.AssertNothingWentWrong();

        static double Hours(IRequest request) =>
            JsonNode.Parse(request.PostData!)!["variables"]! is var v ? (v["to"]!.GetValue<DateTimeOffset>() - v["from"]!.GetValue<DateTimeOffset>()).TotalHours : 0;
    }

    [Fact]
    [Trait("Scoreboard", "M10")]
    public async Task Nodes_are_counted_by_vendor_and_the_vendor_filters_them()
    {
        var vendor = (await scene.AskAsync("{ cluster { vendors { vendor nodes } } }"))["cluster"]!["vendors"]![0]!;
        await using var visit = await scene.VisitAsync("/nodes");

        Assert.Contains($"{vendor["nodes"]} · 100 %", await visit.Page.GetByRole(AriaRole.Main).InnerTextAsync(), StringComparison.Ordinal);
        await visit.Page.GetByRole(AriaRole.Main).GetByText($"{vendor["vendor"]}", new() { Exact = true }).First.ClickAsync();

        await visit.UntilAsync($"new URLSearchParams(location.search).get('vendor') === '{vendor["vendor"]}'");
        await RowsAsync(visit, vendor["nodes"]!.GetValue<int>());
        visit.AssertNothingWentWrong();
    }

    [Fact]
    [Trait("Scoreboard", "M09")]
    [Trait("Scoreboard", "M11")]
    [Trait("Scoreboard", "M12")]
    [Trait("Scoreboard", "M25")]
    public async Task A_node_of_the_list_shows_its_facts_its_cards_and_its_tasks()
    {
        var node = (await scene.AskAsync("""
            { nodes(filter: { name: "n1" }) { items { pods slots usedSlots usedMemoryMiB devices { uuid } allocations { podUid }
              facts { osImage kernelVersion kubeletVersion containerRuntimeVersion architecture address } } } }
            """))["nodes"]!["items"]![0]!;
        await using var visit = await scene.VisitAsync("/nodes");
        await visit.FollowAsync(visit.Page.GetByTestId("node-link").GetByText("n1", new() { Exact = true }), "/nodes/n1");

        var text = await visit.Page.GetByRole(AriaRole.Main).InnerTextAsync();
        Assert.All(node["facts"]!.AsObject(), fact => Assert.True(fact.Value is null || $"{fact.Value}".Length == 0 || text.Contains($"{fact.Value}", StringComparison.Ordinal), $"{fact.Key} is not shown: {fact.Value}"));
        Assert.Equal(Values(node["devices"], "uuid"), await ValuesAsync(visit, "node-card"));
        Assert.Equal(Values(node["allocations"], "podUid"), await ValuesAsync(visit, "task-link"));
        Assert.Equal([$"{node["usedMemoryMiB"]}"], await ValuesAsync(visit, "node-memory-used"));
        Assert.Equal([$"{node["usedSlots"]}"], await ValuesAsync(visit, "node-slots-used"));
        Assert.Equal(node["slots"]!.GetValue<double>() / node["devices"]!.AsArray().Count, double.Parse((await ValuesAsync(visit, "node-slots-per-device"))[0]), 3);
        visit.AssertNothingWentWrong();
    }

    [Fact]
    [Trait("Scoreboard", "M13")]
    [Trait("Scoreboard", "M14")]
    [Trait("Scoreboard", "M15")]
    [Trait("Scoreboard", "M16")]
    [Trait("Scoreboard", "M30")]
    public async Task A_card_of_the_list_shows_who_holds_which_slice_and_who_held_it_before()
    {
        var card = (await scene.AllocationAsync("ended"))["shares"]![0]!["deviceUuid"]!.GetValue<string>();
        await Given.ControlPlaneScene.UntilAsync(async () => (await scene.AllocationAsync("ended"))["releasedAt"] is not null, () => "what ended still holds its card");
        var device = (await scene.AskAsync(
            "query($uuid: String) { devices(filter: { uuid: $uuid }) { items { usedMemoryMiB usedCores usedSlots type shares { podUid memoryMiB } } } }", new { uuid = card }))["devices"]!["items"]![0]!;
        await using var visit = await scene.VisitAsync($"/devices?q={card}");
        await RowsAsync(visit, 1);
        await visit.FollowAsync(visit.Page.GetByTestId("device-link"), $"/devices/{card}");

        Assert.Equal([$"{device["usedMemoryMiB"]}"], await ValuesAsync(visit, "device-memory-used"));
        Assert.Equal([$"{device["usedCores"]}"], await ValuesAsync(visit, "device-cores-used"));
        Assert.Equal([$"{device["usedSlots"]}"], await ValuesAsync(visit, "device-slots-used"));
        Assert.Equal(Values(device["shares"], "podUid"), await ValuesAsync(visit, "tenant-link"));
        Assert.Equal(Values(device["shares"], "memoryMiB"), await ValuesAsync(visit, "tenant-memory"));
        Assert.Contains("ended", await visit.Page.GetByTestId("holder-link").AllInnerTextsAsync());
        var driver = (await scene.AskAsync("query($uuid: String) { devices(filter: { uuid: $uuid }) { items { driver { version } } } }", new { uuid = card }))["devices"]!["items"]![0]!["driver"]!;
        Assert.Equal(["0"], await ValuesAsync(visit, "device-last-xid"));
        Assert.Equal([$"{driver["version"]}"], await ValuesAsync(visit, "device-driver"));
        foreach (var measure in (string[])["device-temperature", "device-memory-temperature", "device-power"])
            Assert.NotEqual([""], await ValuesAsync(visit, measure));
        visit.AssertNothingWentWrong();
    }

    [Fact]
    [Trait("Scoreboard", "M17")]
    [Trait("Scoreboard", "M18")]
    [Trait("Scoreboard", "M20")]
    [Trait("Scoreboard", "M21")]
    public async Task A_workload_of_the_list_shows_what_it_got_and_every_step_with_its_reason()
    {
        var count = (await scene.AskAsync("{ allocations(filter: { live: true }) { totalCount } }"))["allocations"]!["totalCount"]!;
        var held = await scene.AllocationAsync("gpu-test");
        await using var visit = await scene.VisitAsync("/workloads");
        Assert.Equal($"{count}", await visit.Page.GetByTestId("workloads-tab-held").GetAttributeAsync("data-value"));
        await visit.FollowAsync(visit.Page.GetByRole(AriaRole.Link, new() { Name = "gpu-test", Exact = true }).First, $"/workloads/{held["podUid"]}");

        Assert.Equal(["10240"], await ValuesAsync(visit, "workload-memory"));
        Assert.Contains("Running", await ValuesAsync(visit, "workload-status"));
        foreach (var step in (string[])["placed", "bound", "attached"])
            Assert.True(await visit.Page.GetByTestId($"step-{step}").First.IsVisibleAsync(), $"the timeline lacks: {step}");
        var main = visit.Page.GetByRole(AriaRole.Main);
        Assert.Contains("best of", await main.InnerTextAsync(), StringComparison.Ordinal);
        Assert.True(await main.GetByRole(AriaRole.Link, new() { Name = $"{held["node"]}", Exact = true }).First.IsVisibleAsync());
        Assert.Equal(1, await main.Locator($"a[href='/devices/{held["shares"]![0]!["deviceUuid"]}']").First.CountAsync());
        visit.AssertNothingWentWrong();

        // What ended is found too, with how it ended.
        await visit.GoAsync("/workloads?show=ended&q=ended");
        await RowsAsync(visit, 1);
        Assert.Contains("Deleted", await visit.Page.Locator("tbody tr[data-index]").InnerTextAsync(), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    [Trait("Scoreboard", "M19")]
    public async Task A_workload_shows_what_it_uses_of_its_share()
    {
        var held = (await scene.AllocationAsync("trains"))["podUid"]!;
        await using var visit = await scene.VisitAsync($"/workloads/{held}");

        // It holds 2500 MiB; its node's agent tells of it every few seconds.
        await visit.UntilAsync("Number(document.querySelector('[data-testid=\"workload-memory-used\"]')?.dataset.value) >= 2500");
        visit.AssertNothingWentWrong();
    }

    [Fact]
    [Trait("Scoreboard", "M29")]
    public async Task A_pod_that_waits_says_why_for_every_card_of_every_node_and_what_would_let_it_fit()
    {
        var refusals = (await scene.AskAsync("""{ refusals(pod: "default/uuid-impossible", first: 500) { totalCount items { node cards { uuid } } } }"""))["refusals"]!;
        await using var visit = await scene.VisitAsync("/pending?q=uuid-impossible");
        await RowsAsync(visit, 1);
        await visit.Page.GetByTestId("pending-why").ClickAsync();

        var drawer = visit.Page.GetByRole(AriaRole.Dialog);
        await drawer.GetByText("UUID").First.WaitForAsync();
        foreach (var node in refusals["items"]!.AsArray())
            await drawer.GetByText($"{node!["node"]}", new() { Exact = true }).First.WaitForAsync();
        var fits = (await scene.AskAsync("""{ pendingPods(first: 1, filter: { search: "uuid-impossible" }) { items { wouldFit } } }"""))["pendingPods"]!["items"]![0]!["wouldFit"]!.AsArray();
        foreach (var fit in fits.Select(f => $"{f}").DefaultIfEmpty(NothingAlone))
            await visit.UntilAsync(drawer.GetByText(fit));
        visit.AssertNothingWentWrong();
    }

    private static Task RowsAsync(Visit visit, int count) => visit.UntilAsync($"document.querySelectorAll('table[aria-rowcount] tbody tr[data-index]').length === {count}");

    private static IOrderedEnumerable<string> Values(JsonNode? rows, string field) => rows!.AsArray().Select(row => $"{row![field]}").Order(StringComparer.Ordinal);

    private static async Task<List<string>> ValuesAsync(Visit visit, string id) =>
        [.. (await visit.ReadAsync<string[]>($"[...document.querySelectorAll('[data-testid=\"{id}\"]')].map((figure) => figure.dataset.value)")).Order(StringComparer.Ordinal)];
}
