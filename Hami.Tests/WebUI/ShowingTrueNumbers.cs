using System.Globalization;
using System.Text.Json.Nodes;
using Hami.Domain.Ledger;
using Hami.Lab.ApiServer;
using Hami.Tests.Given;
using JasperFx.Events;
using k8s;
using k8s.Models;

namespace Hami.Tests.WebUI;

/// <summary>A cluster of chance, in a control plane of its own: what the pages show is what GraphQL answers, and both are what the log adds up to.</summary>
[Collection(WebUIScene.Shared)]
public sealed class ShowingTrueNumbers(WebUIScene shared)
{
    private const int Seed = 20_26;
    private const string Limited = "team-b";
    private const long LimitMiB = 60_000;
    private const long LimitCores = 400;

    // Hours: the ledger counts in whole microseconds.
    private const decimal Rounded = 0.000_000_1m;

    [Fact]
    [Trait("Scoreboard", "M01")]
    [Trait("Scoreboard", "M02")]
    [Trait("Scoreboard", "M17")]
    [Trait("Scoreboard", "M28")]
    [Trait("Scoreboard", "M32")]
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
            var held = Held.Of(await scene.LogAsync(), at);
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

            await AssertWorkloadsAsync(scene, visit, moment, variables, held, ledger, at);
            await AssertWaitingAsync(scene, visit, moment, variables, ledger);
            await AssertNamespacesAsync(scene, visit, moment, variables, ledger);
        }
        await EndAsync(scene);
        await AssertUseAsync(scene, visit);
        visit.AssertNothingWentWrong();
    }

    private static async Task AssertWorkloadsAsync(ControlPlaneScene scene, Visit visit, string moment, JsonObject variables, IReadOnlyList<Held> held, ClusterLedger ledger, DateTimeOffset? at)
    {
        // Each kind is there to be compared.
        Assert.Contains(held, h => h.ReleasedAt is not null);
        Assert.Contains(held, h => h.WaitingSince is not null);
        Assert.Equal(ledger.LiveByPod.Keys.Order(StringComparer.Ordinal), held.Where(h => h.ReleasedAt is null).Select(h => h.PodUid).Order(StringComparer.Ordinal));

        const string Fields = "items { podUid namespace node devices memoryMiB cores waitingSince placedAt releasedAt }";
        var answered = (await AskAsync(scene, $"query($at: DateTimeOffset) {{ it: allocations(first: 500, at: $at) {{ {Fields} }} }}", variables))["it"]!["items"]!.AsArray();
        Assert.Equal(
            held.Select(h => (h.PodUid, h.Namespace, h.Node, (long)h.Devices, h.MemoryMiB, h.Cores, h.WaitingSince, h.PlacedAt, h.ReleasedAt)).OrderBy(h => h.PodUid, StringComparer.Ordinal),
            answered.Select(a => (
                $"{a!["podUid"]}", $"{a["namespace"]}", $"{a["node"]}", Number(a["devices"]), Number(a["memoryMiB"]), Number(a["cores"]), Time(a["waitingSince"]), Time(a["placedAt"])!.Value, Time(a["releasedAt"]))).OrderBy(a => a.Item1, StringComparer.Ordinal));
        // As long as all are held until one moment, their order can be told beforehand.
        var until = at ?? DateTimeOffset.MaxValue;
        foreach (var (sort, length) in ((string, Func<Held, TimeSpan>)[])[("WAITED", h => h.Waited ?? TimeSpan.Zero), ("HELD", h => (h.ReleasedAt ?? until) - h.PlacedAt)])
        {
            if (sort == "HELD" && at is null)
                continue;
            var sorted = (await AskAsync(scene, $"query($at: DateTimeOffset) {{ it: allocations(first: 500, at: $at, sort: {sort}) {{ items {{ podUid }} }} }}", variables))["it"]!["items"]!.AsArray()
                .Select(a => length(held.Single(h => h.PodUid == $"{a!["podUid"]}"))).ToList();
            Assert.Equal(sorted.OrderDescending(), sorted);
        }

        await visit.GoAsync($"/workloads{moment}{(moment.Length > 0 ? "&" : "?")}show=all");
        await AssertRowsAsync(visit, "workload-link", held.Select(h => h.Figures(at)));
        var figures = await FiguresAsync(visit);
        Assert.Equal(
            (Text(held.Count), Text(held.Count(h => h.ReleasedAt is null)), Text(held.Count(h => h.ReleasedAt is not null)), Text(ledger.Waiting.Count)),
            (figures["workloads-tab-all"], figures["workloads-tab-held"], figures["workloads-tab-ended"], figures["workloads-tab-waiting"]));
    }

    private static async Task AssertWaitingAsync(ControlPlaneScene scene, Visit visit, string moment, JsonObject variables, ClusterLedger ledger)
    {
        var waiting = ledger.Waiting.Values.Select(w => w.Refusal).ToDictionary(
            r => r.PodUid, r => string.Join(',', r.Reasons.Select(of => $"{of.Cards} {of.Reason}").Order(StringComparer.Ordinal)), StringComparer.Ordinal);
        Assert.NotEmpty(waiting);
        var answered = (await AskAsync(scene, "query($at: DateTimeOffset) { it: pendingPods(first: 500, at: $at) { items { podUid reasons { reason cards } } } }", variables))["it"]!["items"]!.AsArray();
        Assert.Equal(
            waiting.OrderBy(w => w.Key, StringComparer.Ordinal),
            answered.Select(a => KeyValuePair.Create($"{a!["podUid"]}", string.Join(',', a["reasons"]!.AsArray().Select(of => $"{of!["cards"]} {of["reason"]}").Order(StringComparer.Ordinal))))
                .OrderBy(w => w.Key, StringComparer.Ordinal));

        await visit.GoAsync("/pending" + moment);
        await AssertRowsAsync(visit, "pending-link", ledger.Waiting.Values.Select(w => new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["pending-link"] = w.Refusal.PodUid, ["pending-ask"] = w.Refusal.Ask!.Containers[0] is var ask ? $"{ask.Count} {ask.MemoryMiB} {ask.Cores}" : "",
        }));
        var shown = await visit.ReadAsync<Dictionary<string, string>>(
            """
            Object.fromEntries([...document.querySelectorAll('tbody tr[data-index]')].map((row) => [
              row.querySelector('[data-testid="pending-link"]').dataset.value,
              [...row.querySelectorAll('[data-testid="reason"]')].map((reason) => `${reason.dataset.cards} ${reason.dataset.value}`).sort().join()]))
            """);
        Assert.Equal(waiting.OrderBy(w => w.Key, StringComparer.Ordinal), shown.OrderBy(w => w.Key, StringComparer.Ordinal));
    }

    private static async Task AssertNamespacesAsync(ControlPlaneScene scene, Visit visit, string moment, JsonObject variables, ClusterLedger ledger)
    {
        var all = ledger.Nodes.SelectMany(node => node.Value.Allocations.Values.Select(a => (Node: node.Key, Of: a))).ToList();
        var expected = all.Select(a => a.Of.Namespace).Append(Limited).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).Select(name =>
        {
            var shares = all.Where(a => a.Of.Namespace == name).SelectMany(a => a.Of.Shares.Select(s => (a.Node, Share: s))).ToList();
            var (memory, cores) = (shares.Sum(s => s.Share.MemoryMiB), shares.Sum(s => (long)s.Share.Cores));
            return new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["namespace-link"] = name, ["namespace-pods"] = Text(all.Count(a => a.Of.Namespace == name)), ["namespace-devices"] = Text(shares.DistinctBy(s => (s.Node, s.Share.DeviceUuid)).Count()),
                ["namespace-memory-used"] = Text(memory), ["namespace-cores-used"] = Text(cores),
                ["namespace-memory-room"] = name == Limited ? Text(LimitMiB - memory) : "", ["namespace-cores-room"] = name == Limited ? Text(LimitCores - cores) : "",
            };
        }).ToList();
        Assert.True(expected.Count > 2, "Several namespaces hold something.");
        var answered = (await AskAsync(
            scene, "query($at: DateTimeOffset) { it: quotas(first: 500, at: $at) { items { namespace pods devices usedMemoryMiB usedCores roomMemoryMiB roomCores } } }", variables))["it"]!["items"]!.AsArray();
        Assert.Equal(
            expected.Select(e => string.Join(' ', e.Values)),
            answered.Select(a => $"{a!["namespace"]} {a["pods"]} {a["devices"]} {a["usedMemoryMiB"]} {a["usedCores"]} {a["roomMemoryMiB"]} {a["roomCores"]}"));

        await visit.GoAsync("/namespaces" + moment);
        await AssertRowsAsync(visit, "namespace-link", expected);
    }

    /// <summary>The hours of cards: once nobody holds any, they grow no more, and can be compared to the last digit.</summary>
    private static async Task AssertUseAsync(ControlPlaneScene scene, Visit visit)
    {
        var hours = HoursOf(await scene.LogAsync());
        foreach (var (by, dimensions) in ((string, string)[])[("namespace", "[NAMESPACE]"), ("namespace,device", "[NAMESPACE, DEVICE]")])
        {
            var isByDevice = by.EndsWith("device", StringComparison.Ordinal);
            var expected = hours.GroupBy(h => isByDevice ? $"{h.Key.Namespace} {h.Key.Device}" : h.Key.Namespace, StringComparer.Ordinal)
                .ToDictionary(g => g.Key, g => g.Select(h => h.Value).Aggregate((a, b) => a + b), StringComparer.Ordinal);
            var answered = (await AskAsync(scene, $"{{ it: usage(first: 500, by: {dimensions}) {{ items {{ namespace deviceUuid gpuHours memoryGiBHours coreHours }} }} }}", []))["it"]!["items"]!.AsArray().ToDictionary(
                a => isByDevice ? $"{a!["namespace"]} {a["deviceUuid"]}" : $"{a!["namespace"]}", a => a!, StringComparer.Ordinal);
            await visit.GoAsync($"/usage?by={by}");
            var rows = await visit.ReadAsync<List<Dictionary<string, string>>>(RowsOfTheList);
            var shown = rows.ToDictionary(row => isByDevice ? $"{row["usage-namespace"]} {row["usage-device"]}" : row["usage-namespace"], StringComparer.Ordinal);

            Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), answered.Keys.Order(StringComparer.Ordinal));
            Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), shown.Keys.Order(StringComparer.Ordinal));
            foreach (var (whose, had) in expected)
            {
                var sum = answered[whose];
                Assert.True(had.IsAbout(new(Decimal(sum["gpuHours"]), Decimal(sum["memoryGiBHours"]), Decimal(sum["coreHours"]))), $"{whose} had {had} by the log, {sum.ToJsonString()} by GraphQL (seed {Seed})");
                // A browser's numbers have fewer digits.
                Assert.Equal(
                    (Double($"{sum["gpuHours"]}"), Double($"{sum["memoryGiBHours"]}"), Double($"{sum["coreHours"]}")),
                    (Double(shown[whose]["usage-gpu"]), Double(shown[whose]["usage-memory"]), Double(shown[whose]["usage-cores"])));
            }
            var (all, figures) = (hours.Values.Aggregate((a, b) => a + b), await FiguresAsync(visit));
            var total = new Hours(Total("gpu"), Total("memory"), Total("cores"));
            Assert.True(all.IsAbout(total), $"{all} by the log, {total} in all is shown (seed {Seed})");

            decimal Total(string measure) => (decimal)Double(figures[$"usage-total-{measure}"]);
        }
    }

    /// <summary>What each namespace had of each card, added up from event to event.</summary>
    private static Dictionary<(string Namespace, string Device), Hours> HoursOf(IReadOnlyList<IEvent> log)
    {
        var (cluster, sums) = (ClusterLedger.Empty, new Dictionary<(string, string), Hours>());
        for (var i = 0; i < log.Count; i++)
        {
            var time = i == 0 ? 0 : (decimal)(log[i].Timestamp - log[i - 1].Timestamp).Ticks / TimeSpan.TicksPerHour;
            foreach (var (node, card) in cluster.Nodes.Values.SelectMany(node => node.Cards.Select(card => (node, card))))
            {
                var holders = node.Allocations.Values.SelectMany(a => a.Shares.Where(s => s.DeviceUuid == card.Uuid).Select(s => (a.Namespace, Share: s, Part: Math.Max((decimal)s.MemoryMiB / card.MemoryMiB, s.Cores / 100m)))).ToList();
                // Whoever holds much memory and whoever holds much compute may together have more than the card: it is split among them.
                var whole = Math.Max(1, holders.Sum(h => h.Part));
                foreach (var (name, share, part) in holders)
                    sums[(name, card.Uuid)] = sums.GetValueOrDefault((name, card.Uuid), Hours.None) + new Hours(time * part / whole, time * share.MemoryMiB / 1024, time * share.Cores);
            }
            cluster = ClusterLedger.Evolve(cluster, log[i].StreamKey!, log[i].Timestamp, log[i].Data);
        }
        return sums;
    }

    private static async Task EndAsync(ControlPlaneScene scene)
    {
        foreach (var pod in (await scene.Kubernetes.CoreV1.ListPodForAllNamespacesAsync()).Items)
            await scene.DeletePodAsync(pod.Name(), pod.Namespace());
        await ControlPlaneScene.UntilAsync(
            async () => Number((await scene.QueryAsync("{ allocations(filter: { live: true }) { totalCount } }"))["allocations"]!["totalCount"]) == 0, () => $"not all ended (seed {Seed}):\n{scene.Log}");
    }

    private const string RowsOfTheList =
        "[...document.querySelectorAll('tbody tr[data-index]')].map((row) => Object.fromEntries([...row.querySelectorAll('[data-testid][data-value]')].map((figure) => [figure.dataset.testid, figure.dataset.value])))";

    private static readonly string[] Namespaces = ["default", "team-a", Limited];

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
        foreach (var name in Namespaces.Skip(1))
            await scene.Kubernetes.CoreV1.CreateNamespaceAsync(new V1Namespace { Metadata = new() { Name = name } });
        await scene.Kubernetes.CoreV1.CreateNamespacedResourceQuotaAsync(
            new()
            {
                Metadata = new() { Name = "accelerators" },
                Spec = new() { Hard = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["limits.nvidia.com/gpumem"] = new($"{LimitMiB}"), ["limits.nvidia.com/gpucores"] = new($"{LimitCores}") } },
            },
            Limited);
        await ControlPlaneScene.UntilAsync(
            async () => Number((await scene.QueryAsync("{ quotas(filter: { limited: true }) { totalCount } }"))["quotas"]!["totalCount"]) == 1, () => $"the quota is not known (seed {Seed}):\n{scene.Log}");
        var (placed, waiting) = (new List<V1Pod>(), new List<V1Pod>());
        var half = DateTimeOffset.MinValue;
        // One that waits for a while, whatever the seed: first it is offered a node without cards.
        var patient = await scene.CreatePodAsync("patient", memoryMiB: 500);
        await scene.FilterAsync(patient, "elsewhere");
        // One that fits nowhere, whatever the seed.
        await scene.CreatePodAsync("huge", memoryMiB: 1_000_000);
        await scene.FilterAsync("huge", names);
        await ControlPlaneScene.UntilAsync(async () => (await scene.LedgerAsync()).Waiting.Count > 0, () => $"nobody waits (seed {Seed}):\n{scene.Log}");
        const int Steps = 40;
        for (var step = 0; step < Steps; step++)
        {
            if (step == Steps / 4)
                await TryAsync(patient);
            if (step == Steps / 2)
                half = await BetweenEventsAsync(scene);
            if (placed.Count > 3 && (step == (Steps / 2) - 1 || random.Next(4) == 0))
            {
                var gone = placed[random.Next(placed.Count)];
                placed.Remove(gone);
                await scene.DeletePodAsync(gone.Name(), gone.Namespace());
                continue;
            }
            // One that waits is tried again.
            var pod = waiting.Count > 0 && random.Next(3) == 0 ? waiting[random.Next(waiting.Count)] : await scene.CreatePodAsync($"pod-{step}", random.Next(1, 3), random.Next(1, 30) * 500, also: p =>
            {
                p.Metadata.NamespaceProperty = Namespaces[random.Next(Namespaces.Length)];
                p.Spec.Containers[0].Resources.Limits["nvidia.com/gpucores"] = new($"{random.Next(0, 4) * 20}");
            });
            waiting.Remove(pod);
            await TryAsync(pod);
        }
        // What is refused is logged a moment after it is answered.
        await ControlPlaneScene.UntilAsync(
            async () => await scene.LedgerAsync() is var ledger && ledger.LiveByPod.Count == placed.Count && ledger.Waiting.Count == waiting.Count + 1 && Number((await scene.QueryAsync("{ allocations(filter: { live: true }) { totalCount } }"))["allocations"]!["totalCount"]) == placed.Count,
            () => $"not all came to rest (seed {Seed}):\n{scene.Log}");
        Assert.True(placed.Count > 5, $"Seed {Seed} places nearly nothing.");
        return half;

        async Task TryAsync(V1Pod pod)
        {
            var fits = (await scene.FilterAsync(pod, names))["NodeNames"]?.AsArray();
            var isBound = fits is { Count: > 0 } && (await scene.BindAsync(pod, fits[random.Next(fits.Count)]!.GetValue<string>()))["Error"]!.GetValue<string>().Length == 0;
            (isBound ? placed : waiting).Add(pod);
        }
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
        var rows = await visit.ReadAsync<List<Dictionary<string, string>>>(RowsOfTheList);
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

    private static decimal Decimal(JsonNode? of) => of!.GetValue<decimal>();

    private static double Double(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    private static DateTimeOffset? Time(JsonNode? of) => of?.GetValue<DateTimeOffset>();

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);

    private sealed record Sums(string Node, Card Card, int Slots, long Cores, long MemoryMiB)
    {
        public static Sums Of(string name, NodeLedger node, Card card)
        {
            var shares = node.Allocations.Values.SelectMany(a => a.Shares).Where(share => share.DeviceUuid == card.Uuid).ToList();
            return new(name, card, shares.Count, shares.Sum(share => (long)share.Cores), shares.Sum(share => share.MemoryMiB));
        }
    }

    /// <summary>What an allocation was, as the log tells it up to a moment.</summary>
    private sealed record Held(string PodUid, string Namespace, string Node, IReadOnlyList<Share> Shares, DateTimeOffset? WaitingSince, DateTimeOffset PlacedAt)
    {
        public DateTimeOffset? ReleasedAt { get; private init; }

        public int Devices => Shares.DistinctBy(s => s.DeviceUuid, StringComparer.Ordinal).Count();

        public long MemoryMiB => Shares.Sum(s => s.MemoryMiB);

        public long Cores => Shares.Sum(s => (long)s.Cores);

        public TimeSpan? Waited => PlacedAt - WaitingSince;

        public static IReadOnlyList<Held> Of(IReadOnlyList<IEvent> log, DateTimeOffset? at)
        {
            var (refused, held) = (new Dictionary<string, DateTimeOffset>(StringComparer.Ordinal), new Dictionary<Guid, Held>());
            foreach (var e in log.TakeWhile(e => at is null || e.Timestamp <= at))
            {
                if (e.Data is PodEvent.PlacementRefused no)
                    refused.TryAdd(no.PodUid, e.Timestamp);
                else if (e.Data is NodeEvent.AllocationPlaced placed)
                    held[placed.AllocationId] = new(placed.PodUid, placed.Namespace, Streams.NodeOf(e.StreamKey!)!, placed.Shares, refused.TryGetValue(placed.PodUid, out var since) ? since : null, e.Timestamp);
                else if (e.Data is NodeEvent.AllocationReleased released)
                    held[released.AllocationId] = held[released.AllocationId] with { ReleasedAt = e.Timestamp };
            }
            return [.. held.Values];
        }

        /// <summary>What the list shows of it; until now only what does not grow.</summary>
        public Dictionary<string, string> Figures(DateTimeOffset? at)
        {
            var figures = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["workload-link"] = PodUid, ["workload-node"] = Node, ["workload-devices"] = Text(Devices), ["workload-memory"] = Text(MemoryMiB), ["workload-cores"] = Text(Cores),
            };
            if (WaitingSince is { } since)
                figures["workload-waited"] = Milliseconds(since, PlacedAt);
            if ((ReleasedAt ?? at) is { } until)
                figures["workload-held"] = Milliseconds(PlacedAt, until);
            if (ReleasedAt is not null)
                figures["workload-status"] = "Deleted";
            return figures;
        }

        // As a browser reads times.
        private static string Milliseconds(DateTimeOffset from, DateTimeOffset to) => Text(to.ToUnixTimeMilliseconds() - from.ToUnixTimeMilliseconds());
    }

    private sealed record Hours(decimal Gpu, decimal Memory, decimal Cores)
    {
        public static readonly Hours None = new(0, 0, 0);

        public static Hours operator +(Hours a, Hours b) => new(a.Gpu + b.Gpu, a.Memory + b.Memory, a.Cores + b.Cores);

        /// <summary>But for how numbers are rounded.</summary>
        public bool IsAbout(Hours other) => Math.Abs(Gpu - other.Gpu) < Rounded && Math.Abs(Memory - other.Memory) < Rounded && Math.Abs(Cores - other.Cores) < Rounded;
    }
}
