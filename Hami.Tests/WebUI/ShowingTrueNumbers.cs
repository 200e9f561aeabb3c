using System.Globalization;
using System.Text.Json.Nodes;
using Hami.Domain.Ledger;
using Hami.Lab.ApiServer;
using Hami.Tests.Given;
using k8s.Models;

namespace Hami.Tests.WebUI;

/// <summary>A cluster of chance, in a control plane of its own: what the pages show is what GraphQL answers, and both are what the log adds up to.</summary>
[Collection(WebUIScene.Shared)]
public sealed class ShowingTrueNumbers(WebUIScene shared)
{
    private const int Seed = 20_26;

    [Fact]
    [Trait("Scoreboard", "M01")]
    [Trait("Scoreboard", "M02")]
    [Trait("Scoreboard", "M28")]
    public async Task The_numbers_of_a_page_are_the_answers_of_GraphQL_and_the_sums_of_the_ledger_now_and_at_a_past_moment()
    {
        var browser = shared.Browser;
        var random = new Random(Seed);
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 0);
        var half = await FillAsync(scene, random);
        await using var visit = await Visit.BeginAsync(browser, scene.Address, new() { Token = Guard.AdminToken, Window = (1600, 3000) });

        foreach (var at in (DateTimeOffset?[])[null, half])
        {
            var ledger = await scene.LedgerAsync(at);
            var moment = at is { } then ? $"?at={then.UtcDateTime:yyyy-MM-ddTHH:mm:ss.ffffffZ}" : "";
            var variables = new JsonObject { ["at"] = at?.ToString("o", CultureInfo.InvariantCulture) };
            var cards = ledger.Nodes.SelectMany(node => node.Value.Cards.Select(card => Sums.Of(node.Key, node.Value, card))).ToList();

            var cluster = (await AskAsync(scene, "query($at: DateTimeOffset) { it: cluster(at: $at) { nodes devices slots usedSlots cores usedCores memoryMiB usedMemoryMiB pods waiting } }", variables))["it"]!;
            Assert.Equal(cards.Select(card => card.Node).Distinct().Count(), Number(cluster["nodes"]));
            Assert.Equal(ledger.LiveByPod.Count, Number(cluster["pods"]));
            Assert.Equal(ledger.Waiting.Count, Number(cluster["waiting"]));
            Assert.Equal(cards.Count, Number(cluster["devices"]));
            Assert.Equal(
                (cards.Sum(c => c.Slots), cards.Sum(c => c.Cores), cards.Sum(c => c.MemoryMiB)), (Number(cluster["usedSlots"]), Number(cluster["usedCores"]), Number(cluster["usedMemoryMiB"])));
            Assert.Equal(cards.Sum(c => c.Card.MemoryMiB), Number(cluster["memoryMiB"]));

            await visit.GoAsync("/" + moment);
            var figures = await FiguresAsync(visit);
            foreach (var (figure, field) in Overview)
                Assert.True(figures.GetValueOrDefault($"overview-{figure}") == cluster[field]!.ToString(), $"{figure} at {at:o}: {figures.GetValueOrDefault($"overview-{figure}")} is shown, {cluster[field]} is the answer");

            await visit.GoAsync("/nodes" + moment);
            var nodes = cards.GroupBy(card => card.Node).Select(of => new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["node-link"] = of.Key, ["node-devices"] = Text(of.Count()), ["node-pods"] = Text(ledger.Node(of.Key).Allocations.Count),
                ["node-slots-used"] = Text(of.Sum(c => c.Slots)), ["node-cores-used"] = Text(of.Sum(c => c.Cores)), ["node-memory-used"] = Text(of.Sum(c => c.MemoryMiB)),
            });
            await AssertRowsAsync(visit, "node-link", nodes);
            var answered = (await AskAsync(scene, "query($at: DateTimeOffset) { it: nodes(first: 500, at: $at) { items { name pods usedSlots usedCores usedMemoryMiB } } }", variables))["it"]!["items"]!.AsArray();
            Assert.Equal(
                nodes.Select(n => (n["node-link"], n["node-pods"], n["node-slots-used"], n["node-cores-used"], n["node-memory-used"])).Order(),
                answered.Select(n => ($"{n!["name"]}", $"{n["pods"]}", $"{n["usedSlots"]}", $"{n["usedCores"]}", $"{n["usedMemoryMiB"]}")).Order());

            await visit.GoAsync("/devices" + moment);
            await AssertRowsAsync(visit, "device-link", cards.Select(card => new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["device-link"] = card.Card.Uuid, ["device-slots-used"] = Text(card.Slots), ["device-cores-used"] = Text(card.Cores), ["device-memory-used"] = Text(card.MemoryMiB),
                ["device-memory-free"] = Text(card.Card.MemoryMiB - card.MemoryMiB), ["device-cores-free"] = Text(card.Card.Cores - card.Cores),
            }));
        }
        visit.AssertNothingWentWrong();
    }

    // What the overview calls it, and GraphQL.
    private static readonly IReadOnlyList<(string Figure, string Field)> Overview =
    [
        ("nodes", "nodes"), ("devices", "devices"), ("pods", "pods"), ("waiting", "waiting"), ("device-memory", "memoryMiB"),
        ("slots", "usedSlots"), ("cores", "usedCores"), ("memory", "usedMemoryMiB"),
    ];

    /// <summary>Nodes, pods that are placed, wait or are gone again; returns a moment in the midst of it.</summary>
    private static async Task<DateTimeOffset> FillAsync(ControlPlaneScene scene, Random random)
    {
        var names = Enumerable.Range(1, random.Next(3, 6)).Select(i => $"node-{i}").ToArray();
        foreach (var name in names)
            await scene.AddNodeAsync(name, cards: random.Next(1, 5), memoryMiB: random.Next(1, 5) * 8192, slots: random.Next(2, 11));
        await ControlPlaneScene.UntilAsync(
            async () => Number((await scene.QueryAsync("{ cluster { nodes } }"))["cluster"]!["nodes"]) == names.Length, () => $"the nodes are not known (seed {Seed}):\n{scene.Log}");
        var placed = new List<string>();
        var half = DateTimeOffset.MinValue;
        const int Steps = 30;
        for (var step = 0; step < Steps; step++)
        {
            if (step == Steps / 2)
                half = await BetweenEventsAsync(scene);
            if (placed.Count > 3 && random.Next(4) == 0)
            {
                var gone = placed[random.Next(placed.Count)];
                placed.Remove(gone);
                await scene.DeletePodAsync(gone);
                continue;
            }
            var name = $"pod-{step}";
            var pod = await scene.CreatePodAsync(name, random.Next(1, 3), random.Next(1, 30) * 500, also: p => p.Spec.Containers[0].Resources.Limits["nvidia.com/gpucores"] = new($"{random.Next(0, 4) * 20}"));
            var fits = (await scene.FilterAsync(name, names))["NodeNames"]?.AsArray();
            if (fits is { Count: > 0 } && (await scene.BindAsync(pod, fits[random.Next(fits.Count)]!.GetValue<string>()))["Error"]!.GetValue<string>().Length == 0)
                placed.Add(name);
        }
        // One that fits nowhere, whatever the seed.
        await scene.CreatePodAsync("huge", memoryMiB: 1_000_000);
        await scene.FilterAsync("huge", names);
        await ControlPlaneScene.UntilAsync(
            async () => (await scene.LedgerAsync()).LiveByPod.Count == placed.Count && Number((await scene.QueryAsync("{ allocations(filter: { live: true }) { totalCount } }"))["allocations"]!["totalCount"]) == placed.Count,
            () => $"not all came to rest (seed {Seed}):\n{scene.Log}");
        Assert.True(placed.Count > 5, $"Seed {Seed} places nearly nothing.");
        return half;
    }

    /// <summary>A moment after all that has happened and before all that will.</summary>
    private static async Task<DateTimeOffset> BetweenEventsAsync(ControlPlaneScene scene)
    {
        await using var command = scene.Database.CreateCommand("select max(timestamp) + interval '1 millisecond' from hami.mt_events");
        var moment = new DateTimeOffset((DateTime)(await command.ExecuteScalarAsync())!);
        await using var clock = scene.Database.CreateCommand("select now()");
        await ControlPlaneScene.UntilAsync(async () => new DateTimeOffset((DateTime)(await clock.ExecuteScalarAsync())!) > moment, () => "the clock stands still");
        return moment;
    }

    private static async Task AssertRowsAsync(Visit visit, string key, IEnumerable<Dictionary<string, string>> expected)
    {
        var rows = await visit.ReadAsync<List<Dictionary<string, string>>>(
            "[...document.querySelectorAll('tbody tr[data-index]')].map((row) => Object.fromEntries([...row.querySelectorAll('[data-testid][data-value]')].map((figure) => [figure.dataset.testid, figure.dataset.value])))");
        var shown = rows.ToDictionary(row => row[key], StringComparer.Ordinal);
        var wanted = expected.ToList();
        Assert.Equal(wanted.Select(row => row[key]).Order(StringComparer.Ordinal), shown.Keys.Order(StringComparer.Ordinal));
        foreach (var row in wanted)
            Assert.All(row, figure => Assert.True(shown[row[key]].GetValueOrDefault(figure.Key) == figure.Value, $"{visit.PathAndQuery}, {row[key]}: {figure.Key} is shown as {shown[row[key]].GetValueOrDefault(figure.Key)}, the ledger has {figure.Value}"));
    }

    private static Task<Dictionary<string, string>> FiguresAsync(Visit visit) => visit.ReadAsync<Dictionary<string, string>>(
        "Object.fromEntries([...document.querySelectorAll('[data-testid][data-value]')].map((figure) => [figure.dataset.testid, figure.dataset.value]))");

    private static async Task<JsonNode> AskAsync(ControlPlaneScene scene, string query, JsonObject variables)
    {
        var answer = await scene.PostAsync("graphql", new JsonObject { ["query"] = query, ["variables"] = variables.DeepClone() });
        return answer["data"] ?? throw new InvalidOperationException(answer.ToJsonString());
    }

    private static long Number(JsonNode? of) => of!.GetValue<long>();

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);

    private sealed record Sums(string Node, Card Card, int Slots, long Cores, long MemoryMiB)
    {
        public static Sums Of(string name, NodeLedger node, Card card)
        {
            var shares = node.Allocations.Values.SelectMany(a => a.Shares).Where(share => share.DeviceUuid == card.Uuid).ToList();
            return new(name, card, shares.Count, shares.Sum(share => (long)share.Cores), shares.Sum(share => share.MemoryMiB));
        }
    }
}
