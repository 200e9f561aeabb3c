using System.Text.Json.Nodes;

namespace Hami.Tests.Asking;

/// <summary>Every list can be asked for as it was; what is shown of a moment is what was true then, and nothing that came later.</summary>
[Collection(QuestionScene.Shared)]
public sealed class AskingAsOfAMoment(QuestionScene given)
{
    [Fact]
    [Trait("Scoreboard", "M01")]
    [Trait("Scoreboard", "N07")]
    public async Task At_any_event_nodes_cards_and_numbers_are_what_the_log_says()
    {
        // Forth and back, so that some are folded on from others.
        var moments = await MomentsAsync();
        foreach (var at in moments.Where((_, i) => i % 4 == 0).Concat(moments.Where((_, i) => i % 8 == 1).Reverse()))
        {
            var data = await given.Scene.QueryAsync(
                $$"""
                {
                  clusterAt(time: "{{at}}") { position nodes { name cards { uuid usedMemoryMiB holders { pod } } } waiting { pod } }
                  nodes(at: "{{at}}") { items { name usedMemoryMiB memoryMiB slots usedSlots pods healthyDevices types vendor allocations { pod usage { busy } } usage { busy } facts { ready } } }
                  devices(at: "{{at}}") { items { uuid vendor memoryMiB usedMemoryMiB cores usedCores slots usedSlots freeCores freeSlots shares { pod } usage { busy } } }
                  pendingPods(at: "{{at}}") { items { pod } }
                  quotas(at: "{{at}}") { items { namespace usedMemoryMiB usedCores } }
                  allocations(at: "{{at}}", filter: { live: true }) { totalCount items { pod releasedAt phase } }
                  cluster(at: "{{at}}") { at position nodes readyNodes schedulableNodes cpuMilli devices usedDevices memoryMiB usedMemoryMiB cores usedCores slots usedSlots pods containers waiting namespaces { namespace memoryMiB pods } podsPerNode { from to nodes } }
                }
                """);

            var held = Sorted(data["clusterAt"]!["nodes"]!.AsArray().SelectMany(n => n!["cards"]!.AsArray()).SelectMany(c => c!["holders"]!.AsArray()).Select(h => h!["pod"]!));
            var (nodes, devices, cluster) = (Items(data["nodes"]), Items(data["devices"]), data["cluster"]!);
            Assert.Equal(held, Sorted(nodes.SelectMany(n => n["allocations"]!.AsArray()).Select(a => a!["pod"]!)));
            Assert.Equal(held, Sorted(devices.SelectMany(d => d["shares"]!.AsArray()).Select(s => s!["pod"]!)));
            Assert.Equal(held, Sorted(Items(data["allocations"]).Select(a => a["pod"]!)));
            Assert.Equal(Sorted(data["clusterAt"]!["waiting"]!.AsArray().Select(w => w!["pod"]!)), Sorted(Items(data["pendingPods"]).Select(p => p["pod"]!)));
            Assert.Equal(held.Count, data["allocations"]!["totalCount"]!.GetValue<int>());
            Assert.All(Items(data["allocations"]), a => Assert.True(a["releasedAt"] is null && a["phase"] is not null));
            Assert.All(nodes, n => Assert.True(n["facts"] is null && n["usage"] is null, n.ToJsonString()));

            Assert.Equal(data["clusterAt"]!["position"]!.ToJsonString(), cluster["position"]!.ToJsonString());
            foreach (var field in (string[])["memoryMiB", "usedMemoryMiB", "cores", "usedCores", "slots", "usedSlots"])
                Assert.Equal(devices.Sum(d => d[field]!.GetValue<long>()), cluster[field]!.GetValue<long>());
            Assert.Equal(nodes.Sum(n => n["usedMemoryMiB"]!.GetValue<long>()), cluster["usedMemoryMiB"]!.GetValue<long>());
            Assert.Equal(Items(data["quotas"]).Sum(q => q["usedMemoryMiB"]!.GetValue<long>()), cluster["namespaces"]!.AsArray().Sum(n => n!["memoryMiB"]!.GetValue<long>()));
            Assert.Equal((held.Count, held.Count), (cluster["pods"]!.GetValue<int>(), cluster["containers"]!.GetValue<int>()));
            Assert.Equal((nodes.Count, devices.Count), (cluster["nodes"]!.GetValue<int>(), cluster["devices"]!.GetValue<int>()));
            Assert.Equal((null, null, null), (cluster["readyNodes"], cluster["schedulableNodes"], cluster["cpuMilli"]));
        }
    }

    [Fact]
    public async Task An_allocation_is_shown_without_the_steps_after_the_moment()
    {
        var (placed, bound, released) = (await StepAsync("allocation_placed"), await StepAsync("allocation_bound"), await StepAsync("allocation_released"));

        Assert.Equal("PLACED null null", await AtAsync(placed));
        Assert.Equal("BOUND bound null", await AtAsync(bound));
        Assert.Equal("null bound DELETED", await AtAsync(released));
        Assert.Empty(await given.ItemsAsync($"allocations(at: \"{Before(placed)}\", filter: {{ pod: \"p5\" }})", "pod"));
        Assert.Equal("p5", (await given.ItemsAsync($"allocations(at: \"{bound}\", filter: {{ live: true, pod: \"p5\" }})", "pod"))[0]["pod"]!.ToString());
        Assert.Empty(await given.ItemsAsync($"allocations(at: \"{released}\", filter: {{ live: true, pod: \"p5\" }})", "pod"));

        async Task<string> AtAsync(string at)
        {
            var row = Assert.Single(await given.ItemsAsync($"allocations(at: \"{at}\", filter: {{ pod: \"p5\" }})", "phase boundAt releasedAt releaseReason"));
            return $"{row["phase"]?.ToString() ?? "null"} {(row["boundAt"] is null ? "null" : "bound")} {(row["releasedAt"] is null ? "null" : row["releaseReason"]!.ToString())}";
        }

        async Task<string> StepAsync(string type) => (await given.ItemsAsync($"events(filter: {{ types: [\"{type}\"], podUid: \"{await UidAsync("p5")}\" }})", "at"))[0]["at"]!.ToString();
    }

    [Theory]
    [InlineData("ATTACHED_AT")]
    [InlineData("RELEASED_AT")]
    [InlineData("PHASE")]
    [InlineData("OWNER")]
    [InlineData("DEVICES")]
    public async Task The_order_of_allocations_is_that_of_the_moment(string sort)
    {
        var at = (await MomentsAsync())[^3];
        var whole = (await given.ItemsAsync($"allocations(at: \"{at}\", sort: {sort}, first: 500)", "id releasedAt")).ConvertAll(a => a["id"]!.ToString());
        var (paged, after) = (new List<string>(), "null");
        while (true)
        {
            var page = (await given.Scene.QueryAsync($"{{ list: allocations(at: \"{at}\", sort: {sort}, first: 5, after: {after}) {{ items {{ id }} pageInfo {{ hasNextPage endCursor }} }} }}"))["list"]!;
            paged.AddRange(Items(page).Select(i => i["id"]!.ToString()));
            Assert.InRange(paged.Count, 1, whole.Count);
            if (!page["pageInfo"]!["hasNextPage"]!.GetValue<bool>())
                break;
            after = $"\"{page["pageInfo"]!["endCursor"]}\"";
        }

        Assert.Equal(QuestionScene.Pods, whole.Count);
        Assert.Equal(whole, paged);
    }

    [Fact]
    public async Task Before_the_first_event_there_is_nothing() => Assert.Equal(
        """{"nodes":{"totalCount":0},"devices":{"totalCount":0},"pendingPods":{"totalCount":0},"quotas":{"totalCount":0},"allocations":{"totalCount":0},"policy":null,"cluster":{"position":0,"nodes":0,"pods":0,"podsPerNode":[]}}""",
        (await given.Scene.QueryAsync(
            """
            {
              nodes(at: "2001-01-01T00:00:00Z") { totalCount } devices(at: "2001-01-01T00:00:00Z") { totalCount } pendingPods(at: "2001-01-01T00:00:00Z") { totalCount }
              quotas(at: "2001-01-01T00:00:00Z") { totalCount } allocations(at: "2001-01-01T00:00:00Z") { totalCount } policy(at: "2001-01-01T00:00:00Z") { version }
              cluster(at: "2001-01-01T00:00:00Z") { position nodes pods podsPerNode { nodes } }
            }
            """)).ToJsonString());

    [Fact]
    public async Task Now_and_what_is_still_to_come_is_told_with_what_the_live_cluster_says()
    {
        var data = await given.Scene.QueryAsync(
            """
            {
              now: nodes { items { name facts { uid ready notReadyBecause schedulable agentVersion createdAt } } } later: nodes(at: "2100-01-01T00:00:00Z") { items { name facts { ready } } }
              cluster { position nodes readyNodes schedulableNodes devices pods waiting } logPosition
            }
            """);

        Assert.All(Items(data["now"]), n => Assert.Equal((true, null, true, "test"), (n["facts"]!["ready"]!.GetValue<bool>(), n["facts"]!["notReadyBecause"], n["facts"]!["schedulable"]!.GetValue<bool>(), n["facts"]!["agentVersion"]!.ToString())));
        Assert.All(Items(data["now"]), n => Assert.True(n["facts"]!["uid"]!.ToString().Length > 0 && n["facts"]!["createdAt"] is not null));
        Assert.All(Items(data["later"]), n => Assert.True(n["facts"]!["ready"]!.GetValue<bool>()));
        Assert.Equal(
            $$"""{"position":{{data["logPosition"]}},"nodes":2,"readyNodes":2,"schedulableNodes":2,"devices":4,"pods":6,"waiting":1}""", data["cluster"]!.ToJsonString());
    }

    [Fact]
    public async Task Two_moments_are_compared()
    {
        // After p6 was placed nothing had gone yet; now the odd ones are gone, and those after p6 have come.
        var sixth = (await given.ItemsAsync("events(filter: { types: [\"allocation_placed\"] }, descending: false, first: 6)", "at"))[^1]["at"]!;

        var told = (await given.Scene.QueryAsync(
            $$"""{ compare(from: "{{sixth}}") { before { at pods readyNodes } after { pods readyNodes waiting } came { pod node memoryMiB devices } went { pod } stayed cameCount wentCount nodesCame nodesWent devicesChanged { what } } }"""))["compare"]!;

        Assert.Equal(["p10", "p12", "p8"], told["came"]!.AsArray().Select(h => h!["pod"]!.ToString()));
        Assert.Equal(["p1", "p3", "p5"], told["went"]!.AsArray().Select(h => h!["pod"]!.ToString()));
        Assert.Equal((3, 3, 3), (told["stayed"]!.GetValue<int>(), told["cameCount"]!.GetValue<int>(), told["wentCount"]!.GetValue<int>()));
        Assert.Equal((6, 6, 1), (told["before"]!["pods"]!.GetValue<int>(), told["after"]!["pods"]!.GetValue<int>(), told["after"]!["waiting"]!.GetValue<int>()));
        Assert.Equal((null, 2), (told["before"]!["readyNodes"], told["after"]!["readyNodes"]!.GetValue<int>()));
        Assert.Equal("""{"pod":"p10","node":"n1","memoryMiB":1000,"devices":1}""", told["came"]![0]!.ToJsonString());
        Assert.Empty(told["devicesChanged"]!.AsArray());

        var whole = (await given.Scene.QueryAsync("""{ compare(from: "2001-01-01T00:00:00Z") { nodesCame nodesWent devicesChanged { node what } cameCount wentCount } }"""))["compare"]!;
        Assert.Equal(["n1", "n2"], whole["nodesCame"]!.AsArray().Select(n => n!.ToString()));
        Assert.Equal(["It came.", "It came.", "It came.", "It came."], whole["devicesChanged"]!.AsArray().Select(d => d!["what"]!.ToString()));
        Assert.Equal((6, 0), (whole["cameCount"]!.GetValue<int>(), whole["wentCount"]!.GetValue<int>()));
    }

    [Theory]
    [InlineData("{ nodes(at: \"2020-01-01T00:00:00Z\", filter: { ready: true }) { totalCount } }", "known of now only")]
    [InlineData("{ nodes(at: \"2020-01-01T00:00:00Z\", filter: { schedulable: false }) { totalCount } }", "known of now only")]
    public async Task What_is_known_of_now_only_is_no_filter_of_the_past(string query, string sentence) =>
        Assert.Contains(sentence, (await given.RefusedAsync(query)).Errors, StringComparison.Ordinal);

    /// <summary>Times of all events, each once.</summary>
    private async Task<List<string>> MomentsAsync() =>
        [.. (await given.ItemsAsync("events(first: 500, descending: false)", "at")).Select(e => e["at"]!.ToString()).Distinct(StringComparer.Ordinal)];

    private async Task<string> UidAsync(string pod) => (await given.ItemsAsync($"allocations(filter: {{ pod: \"{pod}\" }})", "podUid"))[0]["podUid"]!.ToString();

    private static string Before(string at) =>
        DateTimeOffset.Parse(at, System.Globalization.CultureInfo.InvariantCulture).AddMicroseconds(-1).ToString("O", System.Globalization.CultureInfo.InvariantCulture);

    private static List<JsonNode> Items(JsonNode? list) => [.. list!["items"]!.AsArray().Select(i => i!)];

    private static List<string> Sorted(IEnumerable<JsonNode> texts) => [.. texts.Select(t => t.ToString()).Order(StringComparer.Ordinal)];
}
