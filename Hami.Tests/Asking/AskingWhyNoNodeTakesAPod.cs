using System.Text.Json.Nodes;

namespace Hami.Tests.Asking;

/// <summary>Why each node, and each card of it, does not take a pod that waits.</summary>
[Collection(QuestionScene.Shared)]
public sealed class AskingWhyNoNodeTakesAPod(QuestionScene given)
{
    [Fact]
    [Trait("Scoreboard", "M29")]
    public async Task Each_card_of_each_node_says_it_and_together_they_are_what_the_refusal_counted()
    {
        var rows = await given.ItemsAsync("refusals(pod: \"default/huge\")", "node message cards { uuid index type reason why freeMemoryMiB freeCores freeSlots }");
        var waits = Assert.Single(await given.ItemsAsync("pendingPods(filter: { pod: \"huge\" })", "reasons { reason cards } ask { name containers { memoryMiB } }"));

        Assert.Equal(["n1", "n2"], rows.Select(r => r["node"]!.ToString()));
        Assert.All(rows, r => Assert.Equal("2 of 2 cards: too little free memory.", r["message"]!.ToString()));
        var cards = rows.SelectMany(r => r["cards"]!.AsArray()).Select(c => c!).ToList();
        Assert.Equal(["GPU-n1-0", "GPU-n1-1", "GPU-n2-0", "GPU-n2-1"], cards.Select(c => c["uuid"]!.ToString()));
        Assert.All(cards, c => Assert.Equal("It has 10000 MiB in all, and the pod asks for 1000000 MiB.", c["why"]!.ToString()));
        Assert.Equal(
            waits["reasons"]!.AsArray().Select(r => (r!["reason"]!.ToString(), r["cards"]!.GetValue<int>())),
            cards.GroupBy(c => c["reason"]!.ToString(), StringComparer.Ordinal).Select(g => (g.Key, g.Count())));
        Assert.Equal(("huge", 1_000_000L), (waits["ask"]!["name"]!.ToString(), waits["ask"]!["containers"]![0]!["memoryMiB"]!.GetValue<long>()));
    }

    [Fact]
    public async Task What_is_free_of_a_card_is_what_the_ledger_says()
    {
        var rows = await given.ItemsAsync("refusals(pod: \"default/huge\")", "cards { uuid freeMemoryMiB freeSlots }");
        var devices = await given.ItemsAsync("devices", "uuid memoryMiB usedMemoryMiB slots usedSlots");

        Assert.Equal(
            devices.Select(d => (d["uuid"]!.ToString(), d["memoryMiB"]!.GetValue<long>() - d["usedMemoryMiB"]!.GetValue<long>(), d["slots"]!.GetValue<int>() - d["usedSlots"]!.GetValue<int>())).Order(),
            rows.SelectMany(r => r["cards"]!.AsArray()).Select(c => (c!["uuid"]!.ToString(), c["freeMemoryMiB"]!.GetValue<long>(), c["freeSlots"]!.GetValue<int>())).Order());
    }

    [Theory]
    [InlineData("n2", "n2")]
    [InlineData("N1", "n1")]
    [InlineData("gpu-n1-1", "n1")]
    [InlineData("a100", "n1 n2")]
    [InlineData("h100", "")]
    public async Task A_search_looks_at_the_name_of_the_node_and_its_cards(string search, string nodes) =>
        Assert.Equal(nodes, string.Join(' ', (await given.ItemsAsync($"refusals(pod: \"default/huge\", search: \"{search}\")", "node")).Select(r => r["node"]!.ToString())));

    [Fact]
    public async Task Its_pages_follow_each_other()
    {
        var first = (await given.Scene.QueryAsync("{ refusals(pod: \"default/huge\", first: 1) { items { node } totalCount pageInfo { hasNextPage endCursor } } }"))["refusals"]!;
        var second = (await given.Scene.QueryAsync($"{{ refusals(pod: \"default/huge\", first: 1, after: \"{first["pageInfo"]!["endCursor"]}\") {{ items {{ node }} totalCount pageInfo {{ hasNextPage }} }} }}"))["refusals"]!;

        Assert.Equal("""{"items":[{"node":"n1"}],"totalCount":2,"pageInfo":{"hasNextPage":true}}""", Without(first, "endCursor").ToJsonString());
        Assert.Equal("""{"items":[{"node":"n2"}],"totalCount":2,"pageInfo":{"hasNextPage":false}}""", second.ToJsonString());
    }

    [Fact]
    public async Task It_is_answered_as_of_a_moment_too()
    {
        var refused = Assert.Single(await given.ItemsAsync("events(filter: { types: [\"placement_refused\"] })", "at position"));
        var before = Assert.Single(await given.ItemsAsync("events(filter: { types: [\"allocation_placed\"] }, descending: false, first: 1)", "at"));

        Assert.Equal(2, (await given.ItemsAsync($"refusals(pod: \"default/huge\", at: \"{refused["at"]}\")", "node cards { why }")).Count);
        Assert.Empty(await given.ItemsAsync($"refusals(pod: \"default/huge\", at: \"{before["at"]}\")", "node"));
    }

    [Fact]
    public async Task Of_the_past_there_is_what_would_have_let_it_fit_and_not_what_the_API_server_says_now()
    {
        var refused = Assert.Single(await given.ItemsAsync("events(filter: { types: [\"placement_refused\"] })", "at"));

        var then = Assert.Single(await given.ItemsAsync($"pendingPods(filter: {{ pod: \"huge\" }}, first: 1, at: \"{refused["at"]}\")", "live { phase } ask { name } wouldFit"));
        var held = Assert.Single(await given.ItemsAsync($"allocations(filter: {{ pod: \"p2\" }}, at: \"{refused["at"]}\")", "live { phase }"));
        var now = Assert.Single(await given.ItemsAsync("allocations(filter: { pod: \"p2\" })", "live { phase }"));

        Assert.Equal((null, "huge", null), (then["live"]?.ToJsonString(), then["ask"]!["name"]!.ToString(), held["live"]?.ToJsonString()));
        Assert.NotEmpty(then["wouldFit"]!.AsArray());
        Assert.Equal("Pending", now["live"]!["phase"]!.ToString());
    }

    [Theory]
    [InlineData("default/p2")]
    [InlineData("default/p1")]
    [InlineData("default/nobody")]
    [InlineData("no-such-uid")]
    [InlineData("a/b/c")]
    [InlineData("")]
    public async Task A_pod_that_does_not_wait_has_no_rows(string pod) => Assert.Empty(await given.ItemsAsync($"refusals(pod: \"{pod}\")", "node"));

    [Theory]
    [InlineData("refusals(pod: \"default/huge\", first: 0)", "between 1 and 500")]
    [InlineData("refusals(pod: \"default/huge\", after: \"nonsense\")", "cursor")]
    [InlineData("pendingPods(first: 50)", "complexity")]
    public async Task What_cannot_be_answered_says_why(string list, string why)
    {
        var (_, errors) = await given.RefusedAsync($"{{ {list} {{ items {{ {(list.StartsWith("pending", StringComparison.Ordinal) ? "wouldFit" : "node")} }} }} }}");

        Assert.Contains(why, errors, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task The_largest_page_is_within_what_a_question_may_cost() =>
        Assert.Equal(2, (await given.ItemsAsync("refusals(pod: \"default/huge\", first: 500)", "node message cards { uuid index type reason why freeMemoryMiB freeCores freeSlots }")).Count);

    [Fact]
    public async Task What_would_let_a_pod_fit_is_tried_where_it_is_asked_for()
    {
        var waits = Assert.Single(await given.ItemsAsync("pendingPods(filter: { pod: \"huge\" }, first: 1)", "wouldFit"));
        var explained = (await given.Scene.QueryAsync("{ explain(pod: \"default/huge\") { wouldFit } }"))["explain"]!;

        Assert.NotEmpty(waits["wouldFit"]!.AsArray());
        Assert.Equal(explained["wouldFit"]!.ToJsonString(), waits["wouldFit"]!.ToJsonString());
    }

    private static JsonNode Without(JsonNode page, string field)
    {
        page["pageInfo"]!.AsObject().Remove(field);
        return page;
    }
}
