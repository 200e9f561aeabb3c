namespace Hami.Tests.Asking;

/// <summary>Questions that replay the log, and what was used until now.</summary>
[Collection(QuestionScene.Shared)]
public sealed class AskingForThePast(QuestionScene given)
{
    [Fact]
    public async Task The_cluster_is_shown_as_it_was_at_any_event()
    {
        var placed = (await given.ItemsAsync("events(filter: { types: [\"allocation_placed\"] }, descending: false, first: 3)", "at position"))[2];

        var then = (await given.Scene.QueryAsync($"{{ clusterAt(time: \"{placed["at"]}\") {{ position nodes {{ name cards {{ usedMemoryMiB holders {{ pod }} }} }} waiting {{ pod }} }} }}"))["clusterAt"]!;

        Assert.Equal(placed["position"]!.ToString(), then["position"]!.ToString());
        Assert.Equal(["p1", "p2", "p3"], then["nodes"]!.AsArray().SelectMany(n => n!["cards"]!.AsArray()).SelectMany(c => c!["holders"]!.AsArray()).Select(h => h!["pod"]!.ToString()).Order(StringComparer.Ordinal));
        Assert.Empty(then["waiting"]!.AsArray());
    }

    [Theory]
    [InlineData("default/p2", "HOLDING")]
    [InlineData("default/p1", "RELEASED")]
    [InlineData("default/huge", "WAITING")]
    public async Task A_pod_is_explained(string pod, string standing)
    {
        var told = (await given.Scene.QueryAsync($"{{ explain(pod: \"{pod}\") {{ pod standing steps {{ at what }} whyThere whyNot }} }}"))["explain"]!;

        Assert.Equal(standing, told["standing"]!.ToString());
        Assert.NotEmpty(told["steps"]!.AsArray());
        Assert.NotEmpty(told[standing == "WAITING" ? "whyNot" : "whyThere"]!.AsArray());
    }

    [Fact]
    public async Task A_pod_the_log_does_not_know_is_null() =>
        Assert.Equal("""{"explain":null}""", (await given.Scene.QueryAsync("""{ explain(pod: "default/nobody' or ''='") { pod } }""")).ToJsonString());

    [Fact]
    public async Task Another_policy_is_tried_on_what_came()
    {
        var report = (await given.Scene.QueryAsync("""{ whatIf(policy: "spread/binpack", from: "2001-01-01T00:00:00Z") { recorded { arrivals refused } otherPolicy { rules arrivals } approximates } }"""))["whatIf"]!;

        Assert.Equal((13, 13, "spread/binpack"), (report["recorded"]!["arrivals"]!.GetValue<int>(), report["otherPolicy"]!["arrivals"]!.GetValue<int>(), report["otherPolicy"]!["rules"]!.ToString()));
    }

    [Theory]
    [InlineData("""{ whatIf(policy: "best", from: "2001-01-01T00:00:00Z") { approximates } }""", "not a policy over nodes")]
    [InlineData("""{ whatIf(policy: "spread", from: "2101-01-01T00:00:00Z") { approximates } }""", "not before to")]
    public async Task What_cannot_be_tried_is_refused_with_a_sentence(string query, string sentence) =>
        Assert.Contains(sentence, (await given.RefusedAsync(query)).Errors, StringComparison.Ordinal);

    [Theory]
    [InlineData("NAMESPACE", 1)]
    [InlineData("NAMESPACE, DAY, NODE", 2)]
    [InlineData("NODE", 2)]
    [InlineData("OWNER", 1)]
    public async Task Use_is_summed_up_until_now_by_what_is_asked_for(string by, int rows)
    {
        var before = Sum(await given.ItemsAsync($"usage(by: [{by}])", "namespace node day gpuHours memoryGiBHours"));
        var after = await given.ItemsAsync($"usage(by: [{by}])", "namespace node day gpuHours memoryGiBHours");

        // On the day's change there may be one more.
        Assert.InRange(after.Count, rows, by.Contains("DAY", StringComparison.Ordinal) ? 2 * rows : rows);
        Assert.True(Sum(after) > before, "What is held now does not count until now.");
        Assert.All(after, row => Assert.Equal(by.Contains("NAMESPACE", StringComparison.Ordinal) ? "default" : null, row["namespace"]?.ToString()));

        static decimal Sum(List<System.Text.Json.Nodes.JsonNode> items) => items.Sum(i => i["memoryGiBHours"]!.GetValue<decimal>());
    }

    [Fact]
    public async Task A_cards_use_and_its_idle_time_are_its_hours()
    {
        var days = await given.ItemsAsync("cardDays", "node deviceUuid hours idleHours");

        Assert.Equal(4, days.Select(d => d["deviceUuid"]!.ToString()).Distinct(StringComparer.Ordinal).Count());
        Assert.All(days, d => Assert.InRange(d["idleHours"]!.GetValue<decimal>(), 0, d["hours"]!.GetValue<decimal>()));
    }
}
