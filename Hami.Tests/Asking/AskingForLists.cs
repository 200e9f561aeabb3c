using System.Text.Json.Nodes;
using Hami.Api.Asking;

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
    [InlineData("allocations(sort: OWNER)", "id", 12)]
    [InlineData("allocations(sort: CORES, descending: false)", "id", 12)]
    [InlineData("allocations(sort: DEVICES)", "id", 12)]
    [InlineData("allocations(sort: CONTAINERS)", "id", 12)]
    [InlineData("allocations(sort: PHASE)", "id", 12)]
    [InlineData("allocations(sort: PHASE, descending: false)", "id", 12)]
    [InlineData("allocations(sort: ATTACHED_AT)", "id", 12)]
    [InlineData("allocations(sort: RELEASED_AT)", "id", 12)]
    [InlineData("allocations(sort: RELEASED_AT, descending: false)", "id", 12)]
    [InlineData("allocations(sort: WAITED)", "id", 12)]
    [InlineData("allocations(sort: HELD, at: \"2100-01-01T00:00:00Z\")", "id", 12)]
    [InlineData("allocations(sort: HELD, descending: false, at: \"2100-01-01T00:00:00Z\")", "id", 12)]
    [InlineData("usage(by: [DAY, NAMESPACE, OWNER, NODE, DEVICE], sort: DEVICE)", "deviceUuid", 4)]
    [InlineData("cardDays(sort: DEVICE, descending: false)", "deviceUuid", 4)]
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
            // A cursor that is not the order's own would lead round and round.
            Assert.InRange(paged.Count, 1, count);
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
    [InlineData("nodes(filter: { search: \"N1\" })", "name", "n1")]
    [InlineData("nodes(filter: { search: \"a100\", vendor: \"NVIDIA\", type: \"NVIDIA A100-SXM4-40GB\" })", "name", "n1,n2")]
    [InlineData("nodes(filter: { type: \"NVIDIA\" })", "name", "")]
    [InlineData("nodes(filter: { ready: true, schedulable: true }, sort: STATUS, descending: true)", "name", "n2,n1")]
    [InlineData("nodes(filter: { schedulable: false })", "name", "")]
    [InlineData("nodes(sort: USED_MEMORY_PERCENT, descending: true)", "name", "n1,n2")]
    [InlineData("nodes(sort: BUSY, descending: true)", "name", "n2,n1")]
    [InlineData("devices(filter: { search: \"gpu-N2-1\" })", "uuid", "GPU-n2-1")]
    [InlineData("devices(filter: { search: \"n1\", vendor: \"NVIDIA\", type: \"NVIDIA A100-SXM4-40GB\" }, sort: UUID, descending: true)", "uuid", "GPU-n1-1,GPU-n1-0")]
    [InlineData("devices(filter: { vendor: \"nvidia\" })", "uuid", "")]
    [InlineData("devices(sort: HEALTH, first: 1)", "uuid", "GPU-n1-0")]
    [InlineData("allocations(filter: { search: \"DEFAULT/p1\" }, sort: POD, descending: false)", "pod", "p1,p10,p11,p12")]
    [InlineData("allocations(filter: { search: \"n2\", live: true })", "pod", "")]
    [InlineData("allocations(filter: { pod: \"p3\" })", "devices", "1")]
    [InlineData("pendingPods(filter: { search: \"default/HUGE\" }, sort: MESSAGE)", "pod", "huge")]
    [InlineData("pendingPods(filter: { search: \"default/nobody\" })", "pod", "")]
    [InlineData("quotas(filter: { search: \"FAULT\" }, sort: ROOM_MEMORY)", "usedMemoryMiB", "4200")]
    [InlineData("quotas(filter: { search: \"nobody\" })", "usedMemoryMiB", "")]
    [InlineData("pendingPods(filter: { reason: \"CardInsufficientMemory\" })", "pod", "huge")]
    [InlineData("pendingPods(filter: { reason: \"NumaNotFit\" })", "pod", "")]
    [InlineData("quotas(filter: { limited: false })", "usedMemoryMiB", "4200")]
    [InlineData("quotas(sort: PODS)", "pods", "6")]
    [InlineData("usage(filter: { search: \"FAULT\" })", "namespace", "default")]
    [InlineData("usage(by: [NODE], filter: { search: \"n1\" })", "node", "n1")]
    [InlineData("usage(by: [NODE], filter: { search: \"default\" })", "node", "")]
    [InlineData("usage(by: [NODE], sort: NODE)", "node", "n2,n1")]
    [InlineData("cardDays(filter: { search: \"gpu-N2-1\" })", "node", "n2")]
    [InlineData("events(filter: { types: [\"placement_refused\"] })", "type", "placement_refused")]
    [InlineData("events(filter: { streamStartsWith: \"policy/\", types: [\"policy_changed\"] })", "stream", "policy/cluster")]
    public async Task A_filter_takes_what_it_says(string list, string field, string expected)
    {
        var values = (await given.ItemsAsync(list, field)).ConvertAll(i => i[field]!.ToString());
        // One card of a node may hold all its pods, or both may.
        Assert.Equal(expected, string.Join(',', list.Contains("used: true", StringComparison.Ordinal) ? values.Distinct(StringComparer.Ordinal) : values));
    }

    [Fact]
    public async Task What_is_held_grows_older_on_no_page_but_the_first()
    {
        string[] ids = [.. (await given.ItemsAsync("allocations", "id")).Select(i => i["id"]!.ToString()).Order(StringComparer.Ordinal)];
        var (orders, seen, after) = (new HashSet<string>(StringComparer.Ordinal), new List<string>(), "null");
        while (after is not null)
        {
            var page = (await given.Scene.QueryAsync($"{{ list: allocations(sort: HELD, first: 1, after: {after}) {{ items {{ id }} pageInfo {{ hasNextPage endCursor }} }} }}"))["list"]!;
            seen.Add(page["items"]![0]!["id"]!.ToString());
            var cursor = page["pageInfo"]!["endCursor"]!.ToString();
            orders.Add(Cursor.OrderOf(cursor));
            after = page["pageInfo"]!["hasNextPage"]!.GetValue<bool>() ? $"\"{cursor}\"" : null;
        }
        Assert.Single(orders);
        Assert.Equal(ids, seen.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("nodes", "NodeSort", "name")]
    [InlineData("devices", "DeviceSort", "uuid")]
    [InlineData("pendingPods", "PendingSort", "pod")]
    [InlineData("quotas", "QuotaSort", "namespace")]
    [InlineData("allocations", "AllocationSort", "pod")]
    [InlineData("usage", "UsageSort", "namespace")]
    [InlineData("cardDays", "CardDaySort", "deviceUuid")]
    [Trait("Scoreboard", "M32")]
    public async Task Every_order_that_a_list_offers_shows_all_its_rows(string list, string sorts, string id)
    {
        var orders = (await given.Scene.QueryAsync($"{{ __type(name: \"{sorts}\") {{ enumValues {{ name }} }} }}"))["__type"]!["enumValues"]!.AsArray().Select(v => v!["name"]!.ToString()).ToList();
        var rows = Sorted(await given.ItemsAsync(list, id));

        foreach (var order in orders)
        {
            foreach (var descending in (string[])["true", "false"])
                Assert.Equal(rows, Sorted(await given.ItemsAsync($"{list}(sort: {order}, descending: {descending})", id)));
        }

        List<string> Sorted(List<JsonNode> items) => [.. items.Select(i => i[id]!.ToString()).Order(StringComparer.Ordinal)];
    }

    [Fact]
    public async Task The_product_names_of_an_allocations_cards_are_told() => Assert.All(
        await given.ItemsAsync("allocations", "types"), a => Assert.Equal("""["NVIDIA A100-SXM4-40GB"]""", a["types"]!.ToJsonString()));

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
