using System.Text.Json.Nodes;

namespace Hami.Tests.Asking;

/// <summary>Every list has filters, orders and pages; whatever a filter holds is data.</summary>
[Collection(QuestionScene.Shared)]
public sealed class AskingForLists(QuestionScene given)
{
    [Theory]
    [InlineData("allocations", "id", 12)]
    [InlineData("allocations(sort: POD, descending: false)", "id", 12)]
    [InlineData("allocations(sort: NODE)", "id", 12)]
    [InlineData("allocations(sort: MEMORY)", "id", 12)]
    [InlineData("allocations(filter: { live: true })", "id", 6)]
    [InlineData("events(filter: { types: [\"allocation_placed\", \"allocation_released\"] })", "position", 18)]
    [InlineData("events(filter: { types: [\"allocation_placed\"] }, descending: false)", "position", 12)]
    [InlineData("devices(sort: USED_MEMORY, descending: true)", "uuid", 4)]
    [InlineData("nodes(sort: PODS)", "name", 2)]
    public async Task Small_pages_give_the_same_rows_as_one_large_page(string list, string id, int count)
    {
        var separator = list.EndsWith(')') ? ", " : "(";
        var whole = (await given.ItemsAsync($"{list.TrimEnd(')')}{separator}first: 500)", id)).ConvertAll(i => i[id]!.ToString());
        Assert.Equal(count, whole.Count);

        var paged = new List<string>();
        string after = "null";
        while (true)
        {
            var page = (await given.Scene.QueryAsync($"{{ list: {list.TrimEnd(')')}{separator}first: 5, after: {after}) {{ totalCount edges {{ cursor node {{ {id} }} }} pageInfo {{ hasNextPage endCursor }} }} }}"))["list"]!;
            Assert.Equal(count, page["totalCount"]!.GetValue<int>());
            paged.AddRange(page["edges"]!.AsArray().Select(e => e!["node"]![id]!.ToString()));
            Assert.Equal(page["pageInfo"]!["endCursor"]!.ToString(), page["edges"]!.AsArray()[^1]!["cursor"]!.ToString());
            if (!page["pageInfo"]!["hasNextPage"]!.GetValue<bool>())
                break;
            after = $"\"{page["pageInfo"]!["endCursor"]}\"";
        }
        Assert.Equal(whole, paged);
    }

    [Theory]
    [InlineData("allocations(filter: { pod: \"p3\" })", "pod", "p3")]
    [InlineData("allocations(filter: { podContains: \"P1\", live: true })", "pod", "p12,p10")]
    [InlineData("allocations(filter: { namespace: \"default\", live: true, node: \"n1\" }, sort: MEMORY)", "pod", "p12,p10,p8,p6,p4,p2")]
    [InlineData("allocations(filter: { releaseReason: DELETED }, first: 2)", "pod", "p11,p9")]
    [InlineData("allocations(filter: { to: \"2001-01-01T00:00:00Z\" })", "pod", "")]
    [InlineData("allocations(filter: { from: \"2101-01-01T00:00:00Z\", live: false })", "pod", "")]
    [InlineData("allocations(filter: { deviceUuid: \"GPU-unknown\" })", "pod", "")]
    [InlineData("devices(filter: { used: true })", "node", "n1")]
    [InlineData("devices(filter: { node: \"n2\", freeMemoryMiB: 10000 })", "node", "n2,n2")]
    [InlineData("devices(filter: { typeContains: \"a100\", healthy: false })", "node", "")]
    [InlineData("nodes(filter: { used: false })", "name", "n2")]
    [InlineData("pendingPods(filter: { reason: \"CardInsufficientMemory\" })", "pod", "huge")]
    [InlineData("pendingPods(filter: { reason: \"NumaNotFit\" })", "pod", "")]
    [InlineData("quotas(filter: { limited: false })", "usedMemoryMiB", "4200")]
    [InlineData("events(filter: { types: [\"placement_refused\"] })", "type", "placement_refused")]
    [InlineData("events(filter: { streamStartsWith: \"policy/\", types: [\"policy_changed\"] })", "stream", "policy/cluster")]
    public async Task A_filter_takes_what_it_says(string list, string field, string expected)
    {
        var values = (await given.ItemsAsync(list, field)).ConvertAll(i => i[field]!.ToString());
        // One card of a node may hold all its pods, or both may.
        Assert.Equal(expected, string.Join(',', list.Contains("used: true", StringComparison.Ordinal) ? values.Distinct(StringComparer.Ordinal) : values));
    }

    [Fact]
    public async Task The_events_of_one_pod_tell_its_whole_story()
    {
        var uid = (await given.ItemsAsync("allocations(filter: { pod: \"p5\" })", "podUid"))[0]["podUid"]!;

        var types = (await given.ItemsAsync($"events(filter: {{ podUid: \"{uid}\" }}, descending: false)", "type body")).ConvertAll(e => e["type"]!.ToString());

        Assert.Equal(["allocation_placed", "allocation_bound", "allocation_released"], types);
    }

    [Theory]
    [InlineData("'; drop table hami.mt_events; --")]
    [InlineData("x' or '1'='1")]
    [InlineData("\\\\")]
    [InlineData("%")]
    [InlineData("$1")]
    [InlineData("?")]
    public async Task What_looks_like_SQL_in_a_filter_is_a_text_that_nothing_has(string text)
    {
        var before = await given.Scene.QueryAsync("{ eventCount allocations { totalCount } }");
        var value = JsonValue.Create(text)!.ToJsonString();
        foreach (var list in (string[])
                 [
                     $"allocations(filter: {{ pod: {value} }})", $"allocations(filter: {{ podContains: {value} }})", $"allocations(filter: {{ node: {value}, deviceUuid: {value}, ownerName: {value} }})",
                     $"events(filter: {{ types: [{value}] }})", $"events(filter: {{ stream: {value} }})", $"events(filter: {{ streamStartsWith: {value} }})", $"events(filter: {{ podUid: {value} }})",
                     $"events(filter: {{ namespace: {value} }})", $"nodes(filter: {{ name: {value} }})", $"pendingPods(filter: {{ pod: {value} }})",
                 ])
        {
            Assert.Empty(await given.ItemsAsync(list, "__typename"));
        }
        Assert.Equal(before.ToJsonString(), (await given.Scene.QueryAsync("{ eventCount allocations { totalCount } }")).ToJsonString());
    }

    [Fact]
    public async Task A_filter_that_no_row_can_hold_is_refused_with_a_sentence() =>
        Assert.Contains("plain text", (await given.RefusedAsync("{ allocations(filter: { pod: \"a\\u0000b\" }) { totalCount } }")).Errors, StringComparison.Ordinal);

    [Theory]
    [InlineData("{ allocations(first: 501) { totalCount } }", "between 1 and 500")]
    [InlineData("{ allocations(first: 0) { totalCount } }", "between 1 and 500")]
    [InlineData("{ allocations(after: \"x\") { totalCount } }", "none that this list gives")]
    [InlineData("{ a: allocations(first: 500) { items { shares { deviceUuid memoryMiB cores container containerIndex } because { ask { containers { name count memoryMiB } } } } } b: allocations(first: 500) { items { because { ask { containers { name count memoryMiB } } runnersUp { node score } reservations { shares { deviceUuid } } } } } }", "complex")]
    [InlineData("{ nodes { items { allocations { shares { mig { a: profile } } } devices { shares { mig { profile } } } } } nosuch }", "nosuch")]
    public async Task A_question_that_asks_too_much_is_refused_with_a_sentence(string query, string sentence)
    {
        var (status, errors) = await given.RefusedAsync(query);

        Assert.True(status is 200 or 400, $"{status}");
        Assert.Contains(sentence, errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_question_nested_too_deeply_is_refused_with_a_sentence()
    {
        var types = string.Concat(Enumerable.Repeat("ofType { ", 20)) + "name" + string.Concat(Enumerable.Repeat(" }", 20));

        Assert.Contains("nested", (await given.RefusedAsync($"{{ __schema {{ types {{ {types} }} }} }}")).Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_larger_than_a_mebibyte_is_not_read()
    {
        var (status, errors) = await given.RefusedAsync("{ eventCount } #" + new string('x', 1 << 20));

        Assert.Equal(413, status);
        Assert.Contains("1 MiB", errors, StringComparison.Ordinal);
    }
}
