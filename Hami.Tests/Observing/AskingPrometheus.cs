using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using CsCheck;
using GraphQL;
using Hami.Api.Access;
using Hami.Api.Asking;
using Hami.Api.Observing;
using Hami.Tests.Given;
using Hami.Tests.Plumbing;
using Hami.Tests.Reading;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using static Hami.Tests.Observing.TelemetryGiven;

namespace Hami.Tests.Observing;

/// <summary>Use that is older than the thirty days that are kept here is asked of Prometheus.</summary>
public sealed partial class AskingPrometheus
{
    private static readonly DateTimeOffset Day = Noon.AddHours(-12);

    [Fact]
    [Trait("Scoreboard", "N01")]
    [Trait("Scoreboard", "N13")]
    public async Task A_point_tells_of_the_step_it_begins_and_what_Prometheus_does_not_know_stays_unknown()
    {
        await using var prometheus = await FakePrometheus.StartAsync();
        // Of the third day nothing is known, and of the fourth that it is no number.
        prometheus.Value = (query, at) => (at - Day).Days switch
        {
            -37 => null,
            -36 => double.NaN,
            var days when query.StartsWith("avg_over_time(avg(", StringComparison.Ordinal) => 100 + days,
            var days when query.Contains("memory_used_bytes", StringComparison.Ordinal) && !query.StartsWith("max_over_time", StringComparison.Ordinal) => (200L + days) << 20,
            var days => 300 + days,
        };
        await using var process = await Process.StartAsync(prometheus);

        var trend = await process.TrendAsync(new(), Day.AddDays(-40).AddHours(5), Day.AddDays(-20), 86400);

        Assert.Equal((TrendSource.Prometheus, Day.AddDays(-40), Day.AddDays(-20), 86400), (trend.Source, trend.From, trend.To, trend.StepSeconds));
        Assert.Equal(Enumerable.Range(-40, 20).Select(d => Day.AddDays(d)), trend.Points.Select(p => p.At));
        Assert.Equal(new(Day.AddDays(-40), 61, 261, 161, 161, 261, 261, 261, 261), trend.Points[0]);
        Assert.Equal([62, null, null, 65], trend.Points.Skip(1).Take(4).Select(p => p.Busy));
        Assert.Equal(new(Day.AddDays(-38), null, null, null, null, null, null, null, null), trend.Points[2]);
        // The end of each step, all at whole steps of the Unix epoch, so that nobody aligns them otherwise.
        Assert.Equal(8, prometheus.Asked.Count);
        Assert.All(prometheus.Asked, q => Assert.Equal((Day.AddDays(-39), Day.AddDays(-20), TimeSpan.FromDays(1)), (q.Start, q.End, q.Step)));
        Assert.All(prometheus.Asked, q => Assert.Equal(0, q.Start.ToUnixTimeSeconds() % 86400));
    }

    [Fact]
    [Trait("Scoreboard", "N01")]
    public async Task What_is_kept_here_is_not_asked_of_Prometheus()
    {
        await using var prometheus = await FakePrometheus.StartAsync();
        await using var process = await Process.StartAsync(prometheus);

        Assert.Equal(TrendSource.Telemetry, (await process.TrendAsync(new(), Noon.AddDays(-30).AddMinutes(-7), Noon, 7200)).Source);
        Assert.Empty(prometheus.Asked);
    }

    [Fact]
    [Trait("Scoreboard", "N13")]
    public void Of_cards_it_is_asked_for_sums_of_five_minutes_and_then_of_the_step()
    {
        var queries = new PrometheusQueries(new(AreShares: false, Node: "n1"), TimeSpan.FromHours(2));

        Assert.Equal("avg_over_time(avg(max by (device_uuid) (avg_over_time(hami_host_gpu_utilization_ratio{node=\"n1\"}[300s])))[7199s:300s])", queries.Busy);
        Assert.Equal("max(max_over_time(hami_host_gpu_utilization_ratio{node=\"n1\"}[7200s]))", queries.BusyMax);
        Assert.Equal("avg_over_time(sum(max by (device_uuid) (avg_over_time(hami_host_gpu_memory_used_bytes{node=\"n1\"}[300s])))[7199s:300s])", queries.Memory);
        Assert.Equal("max(max_over_time(hami_host_gpu_memory_used_bytes{node=\"n1\"}[7200s]))", queries.MemoryMax);
        Assert.Equal("max(max_over_time(hami_host_gpu_temperature_celsius{node=\"n1\"}[7200s]))", queries.Temperature);
        Assert.Equal("avg_over_time(sum(max by (device_uuid) (avg_over_time(hami_host_gpu_power_usage_watts{node=\"n1\"}[300s])))[7199s:300s])", queries.Power);
        Assert.Equal("sum(max by (device_uuid) (increase(hami_host_gpu_energy_joules_total{node=\"n1\"}[7200s])))", queries.Energy);
        Assert.Equal("max_over_time(count(max by (device_uuid) (avg_over_time(hami_host_gpu_memory_used_bytes{node=\"n1\"}[300s])))[7199s:300s])", queries.Series);
    }

    [Fact]
    public void The_metrics_it_is_asked_for_are_those_of_the_node_agent()
    {
        var agents = File.ReadAllText(ApprovedText.Files("").Single(f => f.EndsWith("metrics-of-a-node.txt", StringComparison.Ordinal)));
        foreach (var areShares in new[] { false, true })
        {
            var queries = new PrometheusQueries(new(areShares, Container: "main", Namespaces: ["a"], Pods: ["p"], DeviceUuids: ["GPU"]), TimeSpan.FromHours(1));
            string[] all = [queries.Busy, queries.BusyMax, queries.Memory, queries.MemoryMax, queries.Series, .. areShares ? (string[])[] : [queries.Temperature, queries.Power, queries.Energy]];
            foreach (var name in all.SelectMany(q => Names().Matches(q)).Select(m => m.Value).Distinct())
            {
                var series = agents.Split('\n').First(l => l.StartsWith(name + "{", StringComparison.Ordinal));
                Assert.All(areShares ? (string[])["namespace", "pod", "container", "device_uuid"] : ["node", "device_uuid"], label => Assert.Contains(label + "=\"", series, StringComparison.Ordinal));
            }
        }
    }

    [Fact]
    public void Whatever_a_name_is_made_of_it_stays_a_value_and_matches_itself_alone() => Gen.Select(Gen.String, Gen.String).Sample((one, two) =>
    {
        var exactly = new PrometheusQueries(new(true, Namespaces: [one]), TimeSpan.FromHours(1)).BusyMax;
        Assert.Equal(("namespace", "=", one), Matcher(exactly));

        var either = new PrometheusQueries(new(true, Namespaces: [one, two]), TimeSpan.FromHours(1)).BusyMax;
        var (label, means, value) = Matcher(either);
        Assert.Equal(("namespace", "=~"), (label, means));
        Assert.Matches($"\\A(?:{value})\\z", one);
        Assert.Matches($"\\A(?:{value})\\z", two);
        if (one + "x" != two)
            Assert.DoesNotMatch($"\\A(?:{value})\\z", one + "x");
    });

    [Theory]
    [InlineData("a\"} or vector(1) #", "{node=\"a\\\"} or vector(1) #\"}")]
    [InlineData("a\\", "{node=\"a\\\\\"}")]
    [InlineData("a\nb", "{node=\"a\\u000ab\"}")]
    public void A_name_that_would_end_its_text_is_escaped(string node, string selector) =>
        Assert.Contains(selector, new PrometheusQueries(new(false, node), TimeSpan.FromHours(1)).BusyMax, StringComparison.Ordinal);

    [Theory]
    [InlineData(503, "", "answered with 503: see to the address")]
    [InlineData(302, "", "answered with 302: see to the address")]
    [InlineData(200, "<html>hello</html>", "does not answer as Prometheus does")]
    [InlineData(200, "null", "does not answer as Prometheus does")]
    [InlineData(200, """{"status":"success","data":{"resultType":"vector","result":[]}}""", "does not answer as Prometheus does")]
    [InlineData(200, """{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"2"]]}]}}""", "does not answer as Prometheus does")]
    [InlineData(200, """{"status":"success","data":{"resultType":"matrix","result":[{"values":[]},{"values":[]}]}}""", "does not answer as Prometheus does")]
    [InlineData(200, """{"status":"success","data":{"resultType":"matrix","result":[{"values":[["x"]]}]}}""", "does not answer as Prometheus does")]
    [InlineData(422, """{"status":"error","errorType":"execution","error":"query processing would load too many samples"}""", "Prometheus refused: query processing would load too many samples")]
    public async Task An_answer_that_is_none_is_one_sentence_with_a_code_and_nothing_is_known(int status, string body, string sentence)
    {
        await using var prometheus = await FakePrometheus.StartAsync();
        prometheus.Otherwise = async http =>
        {
            http.Response.StatusCode = status;
            if (status == 302)
                http.Response.Headers.Location = "/elsewhere";
            await http.Response.WriteAsync(body);
        };
        await using var process = await Process.StartAsync(prometheus);

        await AssertToldAsync(process, sentence);
    }

    [Fact]
    public async Task An_answer_without_end_is_not_read_to_it()
    {
        await using var prometheus = await FakePrometheus.StartAsync();
        prometheus.Otherwise = async http =>
        {
            for (var block = new byte[1 << 16]; !http.RequestAborted.IsCancellationRequested;)
                await http.Response.Body.WriteAsync(block, http.RequestAborted);
        };
        await using var process = await Process.StartAsync(prometheus, timeout: TimeSpan.FromMinutes(2));

        await AssertToldAsync(process, "more than 1 MiB");
    }

    [Fact]
    public async Task Who_does_not_answer_is_waited_for_as_long_as_is_said_and_who_is_away_not_at_all()
    {
        var prometheus = await FakePrometheus.StartAsync();
        prometheus.Otherwise = http => Task.Delay(Timeout.Infinite, http.RequestAborted);
        await using var slow = await Process.StartAsync(prometheus, timeout: TimeSpan.FromMilliseconds(300));
        await AssertToldAsync(slow, "did not answer within 0.3 s");

        await prometheus.DisposeAsync();
        await AssertToldAsync(slow, "cannot be asked for what is older than 30 days");
    }

    [Fact]
    [Trait("Scoreboard", "N12")]
    public async Task It_is_shown_the_header_of_the_file_over_TLS_that_is_verified_and_both_files_are_read_again()
    {
        using var files = new TlsFilesOnDisk();
        await using var prometheus = await FakePrometheus.StartAsync(TlsFilesOnDisk.Issue("CN=prometheus", files.ServerAuthority, server: true));
        var (authorization, authority) = (files.Write("authorization", "Bearer first\n"), files.Write("authority", files.ClientAuthority.ExportCertificatePem()));
        await using var process = await Process.StartAsync(prometheus, authorization, authority);

        await AssertToldAsync(process, "cannot be asked");
        Assert.Empty(prometheus.Asked);

        files.Write("authority", files.ServerAuthority.ExportCertificatePem());
        Assert.Equal(TrendSource.Prometheus, (await process.TrendAsync(new(), Day.AddDays(-40), Day, 86400)).Source);
        Assert.All(prometheus.Asked, q => Assert.Equal("Bearer first", q.Authorization));
        prometheus.Asked.Clear();
        files.Write("authorization", "Basic c2Vjb25k");
        await process.TrendAsync(new(), Day.AddDays(-40), Day, 86400);
        Assert.All(prometheus.Asked, q => Assert.Equal("Basic c2Vjb25k", q.Authorization));

        files.Write("authority", "nothing");
        await AssertToldAsync(process, "holds no PEM certificate");
        // The system knows nobody who has signed it.
        await using var trusting = await Process.StartAsync(prometheus);
        prometheus.Asked.Clear();
        await AssertToldAsync(trusting, "cannot be asked");
        Assert.Empty(prometheus.Asked);
    }

    [Fact]
    public async Task Of_shares_it_is_asked_for_what_the_asker_sees_by_the_names_of_then()
    {
        await using var scene = await ReadScene.StartAsync();
        var placed = LogOf.Start;
        await scene.WriteAsync(new LogOf()
            .At(0, "node/n1/0", new Hami.Domain.Ledger.NodeEvent.DevicesRegistered("n1", [Asks.Card("GPU-1"), Asks.Card("GPU-2")]))
            .At(1, "node/n1/0", Adopted("uid-1", "web-0"))
            .At(86400, "node/n1/0", new Hami.Domain.Ledger.NodeEvent.AllocationReleased(Guid.Parse("00000000-0000-0000-0000-000000000001"), "uid-1", Hami.Domain.Ledger.ReleaseReason.Deleted))
            .At(86401, "node/n1/0", Adopted("uid-2", "web-0")).Events);
        await scene.Build.RebuildAsync(CancellationToken.None);
        await using var prometheus = await FakePrometheus.StartAsync();
        prometheus.Value = (_, _) => 1;
        await using var process = await Process.StartAsync(prometheus, database: scene.ConnectionString);
        var teamA = new Scope(AllNamespaces: false, Nodes: false, new HashSet<string>(StringComparer.Ordinal) { "team-a", "team-c" });
        var nobody = new Scope(AllNamespaces: false, Nodes: false, new HashSet<string>(StringComparer.Ordinal));

        Assert.Equal("{namespace=~\"team-a|team-c\",container=\"main\"}", await SelectorAsync(new() { Container = "main" }, teamA));
        Assert.Equal("{container=\"main\"}", await SelectorAsync(new() { Container = "main" }, Scope.Everything));
        Assert.Null(await SelectorAsync(new() { Container = "main" }, nobody));
        Assert.Equal("{device_uuid=~\"GPU-1|GPU-2\",namespace=\"team-a\"}", await SelectorAsync(new() { Namespace = "team-a", Node = "n1" }, teamA));
        Assert.Null(await SelectorAsync(new() { Namespace = "team-a", Node = "n1", DeviceUuid = "GPU-3" }, teamA));
        Assert.Null(await SelectorAsync(new() { Namespace = "team-a", Node = "n2" }, teamA));
        Assert.Equal("{namespace=\"team-a\",pod=\"web-0\"}", await SelectorAsync(new() { Namespace = "team-a", OwnerKind = "Deployment", OwnerName = "web" }, teamA));
        Assert.Null(await SelectorAsync(new() { PodUid = "uid-1" }, nobody));

        // Of the day on which it was there; the other pod of its name is not meant.
        var trend = await process.TrendAsync(new() { PodUid = "uid-1" }, placed.AddDays(-2), placed.AddDays(4), 86400);
        Assert.Equal([null, null, 1, null, null, null], trend.Points.Select(p => p.Busy));
        Assert.Equal([null, null, null, 1, 1, 1], (await process.TrendAsync(new() { PodUid = "uid-2" }, placed.AddDays(-2), placed.AddDays(4), 86400)).Points.Select(p => p.Busy));

        async Task<string?> SelectorAsync(UsageOf of, Scope scope)
        {
            prometheus.Asked.Clear();
            var shown = await process.TrendAsync(of, placed.AddDays(-2), placed.AddDays(4), 86400, scope);
            Assert.Equal((TrendSource.Prometheus, 6), (shown.Source, shown.Points.Count));
            return prometheus.Asked.Select(q => Selectors().Match(q.Query).Value).Distinct().SingleOrDefault();
        }

        static Hami.Domain.Ledger.NodeEvent.AllocationAdopted Adopted(string uid, string pod) => new(
            Guid.Parse($"00000000-0000-0000-0000-00000000000{uid[^1]}"), uid, "team-a", pod, "n1", 1, [new(0, "main", false, "GPU-1", 1000, 10)], "found", true, new("Deployment", "web"));
    }

    [Fact]
    [Trait("Scoreboard", "N01")]
    public async Task Through_the_API_the_rest_of_the_question_is_answered_where_Prometheus_is_not()
    {
        await using var prometheus = await FakePrometheus.StartAsync();
        prometheus.Value = (_, _) => 42;
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, flags: ["--prometheus-address", prometheus.Address.ToString(), "--prometheus-timeout", "9s", "--auth-mode", "none"]);
        const string Question = """{"query":"{ you { allNamespaces } old: usageTrend(from: \"2024-01-01T00:00:00Z\", to: \"2024-01-11T00:00:00Z\", stepSeconds: 86400) { source points { at busy } } usageTrend(stepSeconds: 300) { source } }"}""";

        var known = await AnswerAsync(answer => answer["errors"] is null);
        Assert.Equal("PROMETHEUS", known["data"]!["old"]!["source"]!.GetValue<string>());
        Assert.Equal(Enumerable.Repeat(42.0, 10), known["data"]!["old"]!["points"]!.AsArray().Select(p => p!["busy"]!.GetValue<double>()));

        prometheus.Otherwise = http =>
        {
            http.Response.StatusCode = 503;
            return Task.CompletedTask;
        };
        var unknown = await AnswerAsync(answer => answer["errors"] is JsonArray { Count: 1 } errors && errors[0]!["extensions"]?["code"]?.GetValue<string>() == "PROMETHEUS");
        Assert.Equal("[\"old\"]", unknown["errors"]![0]!["path"]!.ToJsonString());
        Assert.All(unknown["data"]!["old"]!["points"]!.AsArray(), p => Assert.Null(p!["busy"]));
        Assert.Equal("TELEMETRY", unknown["data"]!["usageTrend"]!["source"]!.GetValue<string>());
        Assert.True(unknown["data"]!["you"]!["allNamespaces"]!.GetValue<bool>());

        // A question has ten seconds, which a busy machine may need for something else.
        async Task<JsonNode> AnswerAsync(Func<JsonNode, bool> isMeant)
        {
            JsonNode answer = new JsonObject();
            await ControlPlaneScene.UntilAsync(async () => isMeant(answer = JsonNode.Parse((await scene.PostRawAsync("graphql", Question)).Body)!), () => $"{answer.ToJsonString()}\n{scene.Log}");
            return answer;
        }
    }

    [Theory]
    [InlineData("--prometheus-address prometheus:9090", "is no address such as https://")]
    [InlineData("--prometheus-address https://user:secret@prometheus", "without user, query or fragment")]
    [InlineData("--prometheus-address https://prometheus/?a=b", "without user, query or fragment")]
    [InlineData("--prometheus-authorization-file FILE", "give --prometheus-address with it")]
    [InlineData("--prometheus-address http://prometheus:9090 --prometheus-authorization-file FILE", "needs an https --prometheus-address")]
    [InlineData("--prometheus-address https://prometheus:9090 --prometheus-authorization-file /nowhere", "--prometheus-authorization-file /nowhere:")]
    [InlineData("--prometheus-address https://prometheus:9090 --prometheus-ca-file FILE", "holds no PEM certificate")]
    [InlineData("--prometheus-address https://prometheus:9090 --prometheus-timeout 1m", "is longer than 9s")]
    [InlineData("--prometheus-address https://prometheus:9090 --prometheus-timeout 0", "is not a duration")]
    [InlineData("--prometheus-address http://prometheus.monitoring:9090", null)]
    [InlineData("--prometheus-address https://vm.example.org/select/0/prometheus --prometheus-authorization-file FILE --prometheus-timeout 3s", null)]
    public void What_cannot_be_meant_stops_the_start_with_a_sentence(string flags, string? sentence)
    {
        using var files = new TlsFilesOnDisk();
        var kubeconfig = files.Write("kubeconfig", ControlPlaneScene.NobodysKubeconfig);
        var errors = Hami.Api.CommandLine.Create().Parse(
            ["serve", "--http", "127.0.0.1:18080", "--postgres", "Host=127.0.0.1", "--kubeconfig", kubeconfig, .. flags.Replace("FILE", files.Write("file", "Bearer x"), StringComparison.Ordinal).Split(' ')]).Errors.Select(e => e.Message).ToList();

        if (sentence is null)
            Assert.Empty(errors);
        else
            Assert.Contains(errors, e => e.Contains(sentence, StringComparison.Ordinal));
    }

    private static async Task AssertToldAsync(Process process, string sentence)
    {
        var told = new List<ExecutionError>();
        var trend = await process.TrendAsync(new(), Day.AddDays(-40), Day.AddDays(-30), 86400, tell: told.Add);

        var error = Assert.Single(told);
        Assert.Equal("PROMETHEUS", error.Code);
        Assert.Contains(sentence, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
        Assert.Equal(TrendSource.Prometheus, trend.Source);
        Assert.Equal(Enumerable.Range(-40, 10).Select(d => new UsagePoint(Day.AddDays(d), null, null, null, null, null, null, null, null)), trend.Points);
    }

    /// <summary>The one matcher of a query, its text read as Go reads it.</summary>
    private static (string Label, string Means, string Value) Matcher(string query)
    {
        var match = OneMatcher().Match(query);
        Assert.True(match.Success, query);
        var text = Escaped().Replace(match.Groups["text"].Value, m => m.Value[1] == 'u' ? $"{(char)Convert.ToInt32(m.Value[2..], 16)}" : m.Value[1..]);
        return (match.Groups["label"].Value, match.Groups["means"].Value, text);
    }

    [GeneratedRegex("hami_[a-z_]+", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Names();

    [GeneratedRegex(@"\{.*?\}", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Selectors();

    [GeneratedRegex("""\{(?<label>[a-z_]+)(?<means>=~?)"(?<text>(?:[^"\\\n]|\\.)*)"\}""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex OneMatcher();

    [GeneratedRegex(@"\\(?:u[0-9a-f]{4}|.)", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Escaped();

    private sealed class Process : IAsyncDisposable
    {
        private readonly PrometheusClient _client;
        private readonly Rows _rows;
        private readonly TelemetryRollups _rollups;
        private readonly TelemetryTrends _trends;

        private Process(string database, PrometheusOptions options)
        {
            var (clock, live) = (new FakeTimeProvider(Noon), new LiveTelemetry(LedgerOf.Pods(1, 1), new FakeTimeProvider(Noon)));
            (_client, _rows) = (new(options), new(database));
            _rollups = new(live, database, clock, Microsoft.Extensions.Logging.Abstractions.NullLogger<TelemetryRollups>.Instance);
            _trends = new(live, _rollups, _rows, clock, new(_client, _rows));
        }

        public static async Task<Process> StartAsync(FakePrometheus prometheus, string? authorization = null, string? authority = null, TimeSpan? timeout = null, string? database = null) => new(
            database ?? await TestPostgres.CreateDatabaseAsync(), new(prometheus.Address, authorization, authority, timeout ?? TimeSpan.FromSeconds(60)));

        public Task<UsageTrend> TrendAsync(UsageOf of, DateTimeOffset from, DateTimeOffset to, int step, Scope? scope = null, Action<ExecutionError>? tell = null) =>
            _trends.ReadAsync(of, scope ?? Scope.Everything, from, to, step, tell ?? (error => throw error), CancellationToken.None);

        public ValueTask DisposeAsync()
        {
            _rollups.Dispose();
            _rows.Dispose();
            _client.Dispose();
            return default;
        }
    }
}
