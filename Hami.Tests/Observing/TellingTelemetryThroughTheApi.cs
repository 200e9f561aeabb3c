extern alias api;

using System.Net.Http.Json;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using api::Hami.Telemetry.V1;
using Grpc.Core;
using Grpc.Net.Client;
using Hami.Api.Observing;
using Hami.Lab.Cluster;
using Hami.NodeAgent.Observing;
using Hami.NodeAgent.Plumbing;
using Hami.Tests.Given;
using Hami.Tests.Plumbing;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;
using static Hami.Tests.Observing.TelemetryGiven;

namespace Hami.Tests.Observing;

/// <summary>A running control plane with three nodes, their agents' accounts, and a pod on the first.</summary>
public sealed class TelemetryScene : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hami-telemetry-");
    private readonly HttpClient _http = new();
    private GrpcChannel _channel = null!;

    internal ControlPlaneScene Scene { get; private set; } = null!;

    internal Uri Tls { get; private set; } = null!;

    internal string AuthorityFile { get; private set; } = "";

    internal string PodUid { get; private set; } = "";

    /// <summary>The card of n1 that the pod has a part of.</summary>
    internal string Device { get; private set; } = "";

    /// <summary>By account and node: tokens as the kubelet mounts them.</summary>
    internal Dictionary<(string Account, string Node), string> Tokens { get; } = [];

    /// <summary>An agent's that is bound to no pod.</summary>
    internal string Unbound { get; private set; } = "";

    /// <summary>Somebody who sees the namespace team-a.</summary>
    internal string OfTeamA { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        var certificates = LabAuthority.In(_folder.FullName, TimeProvider.System).Issue(_folder.FullName, Loopback.Address, TimeProvider.System);
        AuthorityFile = Path.Combine(_folder.FullName, "authority.crt");
        await File.WriteAllTextAsync(AuthorityFile, certificates.AuthorityPem);
        var port = Loopback.FreePort();
        Tls = new($"https://127.0.0.1:{port}/");
        Scene = await ControlPlaneScene.StartAsync(
            nodes: 3, flags: ["--https", $"127.0.0.1:{port}", "--cert-file", certificates.CertificateFile, "--key-file", certificates.KeyFile]);
        var http = ServingOverTls.Trusting(X509Certificate2.CreateFromPem(certificates.AuthorityPem));
        _channel = GrpcChannel.ForAddress(Tls, new() { HttpClient = http, DisposeHttpClient = true });

        var pod = await Scene.CreatePodAsync("p", memoryMiB: 1000);
        await Scene.FilterAsync("p", "n1");
        Assert.Equal("", (await Scene.BindAsync(pod, "n1"))["Error"]!.GetValue<string>());
        PodUid = pod.Uid();
        await ControlPlaneScene.UntilAsync(
            async () => (await Scene.QueryAsync("{ nodes(filter: { name: \"n1\" }) { items { allocations { shares { deviceUuid } } } } }"))["nodes"]!["items"]![0]!["allocations"] is JsonArray { Count: 1 } held
                && (Device = held[0]!["shares"]![0]!["deviceUuid"]!.GetValue<string>()).Length > 0, () => Scene.Log);
        // Lists of allocations are read from tables, which follow the log.
        await ControlPlaneScene.UntilAsync(
            async () => (await Scene.QueryAsync($$"""{ allocations(filter: { podUid: "{{PodUid}}" }) { totalCount } }"""))["allocations"]!["totalCount"]!.GetValue<int>() == 1, () => Scene.Log);

        await PostAsync("apis/rbac.authorization.k8s.io/v1/clusterroles", new { metadata = new { name = "agent" }, rules = new[] { new { apiGroups = new[] { "" }, resources = new[] { "nodes" }, verbs = new[] { "get", "patch" } } } });
        foreach (var account in (string[])["agent", "tenant", "of-team-a"])
            await PostAsync("api/v1/namespaces/default/serviceaccounts", new { metadata = new { name = account } });
        await PostAsync("apis/rbac.authorization.k8s.io/v1/clusterrolebindings", new
        {
            metadata = new { name = "agent" }, roleRef = new { apiGroup = "rbac.authorization.k8s.io", kind = "ClusterRole", name = "agent" },
            subjects = new[] { new { kind = "ServiceAccount", name = "agent", @namespace = "default" } },
        });
        await PostAsync("api/v1/namespaces", new { metadata = new { name = "team-a" } });
        await PostAsync("apis/rbac.authorization.k8s.io/v1/namespaces/team-a/rolebindings", new
        {
            metadata = new { name = "view-a" }, roleRef = new { apiGroup = "rbac.authorization.k8s.io", kind = "ClusterRole", name = "view" },
            subjects = new[] { new { kind = "ServiceAccount", name = "of-team-a", @namespace = "default" } },
        });
        foreach (var account in (string[])["agent", "tenant"])
            foreach (var node in (string[])["n1", "n2", "n3"])
                Tokens[(account, node)] = await BoundTokenAsync(account, node);
        Unbound = await TokenAsync("agent", new { });
        OfTeamA = await TokenAsync("of-team-a", new { });
    }

    public async ValueTask DisposeAsync()
    {
        _channel.Dispose();
        _http.Dispose();
        await Scene.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    internal async Task<ReportResponse> TellAsync(string? token, ReportRequest report) =>
        await new api::Hami.Telemetry.V1.Telemetry.TelemetryClient(_channel).ReportAsync(
            report, token is null ? [] : new Metadata { { "Authorization", $"Bearer {token}" } }, TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(30));

    /// <summary>As an agent does, which tries again later when it is told that it reports too often: tests share their nodes.</summary>
    internal async Task<ReportResponse> TellInTimeAsync(string node, Func<ReportRequest> report)
    {
        ReportResponse? answer = null;
        await ControlPlaneScene.UntilAsync(
            async () =>
            {
                try
                {
                    answer = await TellAsync(Tokens[("agent", node)], report());
                }
                catch (RpcException e) when (e.StatusCode is StatusCode.ResourceExhausted)
                {
                    return false;
                }
                return true;
            },
            () => Scene.Log);
        return answer!;
    }

    internal async Task<JsonNode> AskAsync(string token, string query)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Scene.Address, "graphql")) { Content = JsonContent.Create(new { query }) };
        request.Headers.Authorization = new("Bearer", token);
        using var answer = await _http.SendAsync(request);
        return JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
    }

    private async Task<string> BoundTokenAsync(string account, string node)
    {
        var pod = await PostAsync("api/v1/namespaces/default/pods", new
        {
            metadata = new { name = $"{account}-{node}" }, spec = new { nodeName = node, serviceAccountName = account, containers = new[] { new { name = "main", image = "x" } } },
        });
        return await TokenAsync(account, new { boundObjectRef = new { kind = "Pod", apiVersion = "v1", name = $"{account}-{node}", uid = pod["metadata"]!["uid"]!.GetValue<string>() } });
    }

    private async Task<string> TokenAsync(string account, object spec) =>
        (await PostAsync($"api/v1/namespaces/default/serviceaccounts/{account}/token", new { spec }))["status"]!["token"]!.GetValue<string>();

    private async Task<JsonNode> PostAsync(string path, object body)
    {
        using var answer = await _http.PostAsJsonAsync(new Uri(Scene.Server.Address, path), body);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, text);
        return JsonNode.Parse(text)!;
    }
}

/// <summary>Agents tell a running control plane; people see it where they may.</summary>
public sealed class TellingTelemetryThroughTheApi(TelemetryScene given) : IClassFixture<TelemetryScene>
{
    [Theory]
    [InlineData(null, StatusCode.Unauthenticated, "say who you are")]
    [InlineData("wrong", StatusCode.Unauthenticated, "does not know this token")]
    [InlineData("lab", StatusCode.PermissionDenied, "bound to no pod")]
    public async Task Whoever_shows_no_token_of_a_pod_tells_nothing(string? token, StatusCode status, string why)
    {
        var refused = await Assert.ThrowsAsync<RpcException>(() => given.TellAsync(token, Report("n1")));

        Assert.Equal(status, refused.StatusCode);
        Assert.Contains(why, refused.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_agent_tells_of_its_own_node_and_of_no_other()
    {
        await given.TellInTimeAsync("n1", () => Report("n1"));
        var refused = await Assert.ThrowsAsync<RpcException>(() => given.TellAsync(given.Tokens[("agent", "n1")], Report("n2")));

        Assert.Equal((StatusCode.PermissionDenied, "an agent tells of its own node alone: this token is of a pod on n1, the report is of n2"), (refused.StatusCode, refused.Status.Detail));
    }

    [Fact]
    public async Task Another_pod_of_the_node_is_no_agent_and_an_agents_token_without_a_pod_none_of_a_node()
    {
        var tenant = await Assert.ThrowsAsync<RpcException>(() => given.TellAsync(given.Tokens[("tenant", "n1")], Report("n1")));
        var unbound = await Assert.ThrowsAsync<RpcException>(() => given.TellAsync(given.Unbound, Report("n1")));

        Assert.Equal((StatusCode.PermissionDenied, StatusCode.PermissionDenied), (tenant.StatusCode, unbound.StatusCode));
        Assert.Contains("is no node agent: it takes the right to patch the node n1", tenant.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_told_is_shown_of_the_card_its_share_the_pod_the_node_and_the_cluster()
    {
        var other = Device(given.Device == "GPU-n1-0" ? 1 : 0);
        ReportResponse answer = null!;
        // Another test may have told a moment of the same second.
        await ControlPlaneScene.UntilAsync(async () => (answer = await given.TellInTimeAsync("n1", Now)).Taken == 1, () => answer.ToString());
        Assert.Empty(answer.Refused);

        var data = await given.Scene.QueryAsync(
            $$"""
            {
              card: devices(filter: { uuid: "{{given.Device}}" }) { items { usage { devices busy memoryUsedMiB memoryTotalMiB temperatureCelsius powerWatts } driver { version memoryTemperatureCelsius fanPercent lastXid } shares { usage { busy memoryUsedMiB } } } }
              other: devices(filter: { uuid: "{{other}}" }) { items { usage { powerWatts } driver { version memoryTemperatureCelsius fanPercent lastXid } } }
              silent: devices(filter: { node: "n2" }, first: 1) { items { usage { busy } driver { version } } }
              nodes(filter: { name: "n1" }) { items { driverVersion usage { devices busy memoryUsedMiB temperatureCelsius powerWatts } allocations { usage { busy memoryUsedMiB } } } }
              clusterUsage { devices busy }
              allocations(filter: { podUid: "{{given.PodUid}}" }) { items { usage { busy memoryUsedMiB } } }
              usageTrend(stepSeconds: 300) { stepSeconds points { busy memoryUsedMiB powerWatts series } }
              ofPods: usageTrend(of: { namespace: "default" }, stepSeconds: 300) { points { busy memoryUsedMiB series } }
            }
            """);
        Assert.Equal(
            """{"usage":{"devices":1,"busy":80,"memoryUsedMiB":2048,"memoryTotalMiB":40960,"temperatureCelsius":61,"powerWatts":250.5},"driver":{"version":"580.159.04","memoryTemperatureCelsius":72,"fanPercent":35,"lastXid":79},"shares":[{"usage":{"busy":70,"memoryUsedMiB":900}}]}""",
            data["card"]!["items"]![0]!.ToJsonString());
        Assert.Equal("""{"usage":{"powerWatts":null},"driver":{"version":"580.159.04","memoryTemperatureCelsius":null,"fanPercent":null,"lastXid":0}}""", data["other"]!["items"]![0]!.ToJsonString());
        Assert.Equal("""{"usage":null,"driver":null}""", data["silent"]!["items"]![0]!.ToJsonString());
        Assert.Equal(
            """{"driverVersion":"580.159.04","usage":{"devices":2,"busy":50,"memoryUsedMiB":3072,"temperatureCelsius":61,"powerWatts":250.5},"allocations":[{"usage":{"busy":70,"memoryUsedMiB":900}}]}""",
            data["nodes"]!["items"]![0]!.ToJsonString());
        Assert.Equal("""{"devices":2,"busy":50}""", data["clusterUsage"]!.ToJsonString());
        Assert.Equal("""{"usage":{"busy":70,"memoryUsedMiB":900}}""", data["allocations"]!["items"]![0]!.ToJsonString());
        Assert.Contains(data["usageTrend"]!["points"]!.AsArray(), p => p!["series"]?.GetValue<int>() == 2);
        Assert.Contains(data["ofPods"]!["points"]!.AsArray(), p => p!["series"]?.GetValue<int>() == 1);
        Assert.Contains(data["usageTrend"]!["points"]!.AsArray(), p => p!["busy"] is null && p["series"] is null);

        // What is known comes first in either direction, and of a moment ago it is known still.
        var at = TimeProvider.System.GetUtcNow().ToString("O", System.Globalization.CultureInfo.InvariantCulture);
        var sorted = await given.Scene.QueryAsync(
            $$"""
            {
              busy: devices(sort: BUSY, descending: true, first: 2) { items { uuid } } idle: devices(sort: BUSY, first: 2) { items { uuid } } warm: devices(sort: TEMPERATURE, first: 2) { items { uuid } }
              full: devices(sort: MEMORY_IN_USE, descending: true, first: 1) { items { uuid } } power: devices(sort: POWER, first: 1) { items { uuid } } nodes(sort: BUSY, first: 1) { items { name } }
              then: nodes(at: "{{at}}", filter: { name: "n1" }) { items { usage { busy } devices { uuid usage { busy } } } } card: devices(at: "{{at}}", filter: { uuid: "{{given.Device}}" }) { items { usage { busy } } }
              pod: allocations(at: "{{at}}", filter: { podUid: "{{given.PodUid}}" }) { items { usage { busy } } }
            }
            """);
        Assert.Equal("""{"usage":null}""", sorted["pod"]!["items"]![0]!.ToJsonString());
        Assert.Equal([given.Device, other], First("busy", "uuid"));
        Assert.Equal([other, given.Device], First("idle", "uuid"));
        Assert.Equal([other, given.Device], First("warm", "uuid"));
        Assert.Equal([given.Device], First("full", "uuid"));
        Assert.Equal([given.Device], First("power", "uuid"));
        Assert.Equal(["n1"], First("nodes", "name"));
        Assert.Equal(50, sorted["then"]!["items"]![0]!["usage"]!["busy"]!.GetValue<double>());
        Assert.Equal([20.0, 80.0], sorted["then"]!["items"]![0]!["devices"]!.AsArray().Select(d => d!["usage"]!["busy"]!.GetValue<double>()).Order());
        Assert.Equal(80, sorted["card"]!["items"]![0]!["usage"]!["busy"]!.GetValue<double>());

        IEnumerable<string> First(string list, string field) => sorted[list]!["items"]!.AsArray().Select(i => i![field]!.GetValue<string>());

        ReportRequest Now()
        {
            var report = Report("n1", new HeardMoment(
                TimeProvider.System.GetUtcNow(),
                [
                    (new(given.Device, "", ""), new(80, 2L << 30, 40L << 30, 61, 250_500, 1)), (new(other, "", ""), new(20, 1L << 30, 40L << 30, 45, null, null)),
                    (new(given.Device, given.PodUid, "main"), new(70, 900L << 20)),
                ]));
            report.DriverVersion = "580.159.04";
            (report.Cards[0].MemoryTemperatureCelsius, report.Cards[0].FanPercent, report.Cards[0].LastXid) = (72, 35, 79);
            report.Cards[1].LastXid = 0;
            return report;
        }
    }

    [Theory]
    [InlineData("{ clusterUsage { busy } }")]
    [InlineData("{ usageTrend { stepSeconds } }")]
    [InlineData("""{ usageTrend(of: { node: "n1" }) { stepSeconds } }""")]
    [InlineData("""{ usageTrend(of: { namespace: "default" }) { stepSeconds } }""")]
    public async Task Use_of_what_somebody_may_not_see_is_refused(string query) =>
        Assert.Equal("FORBIDDEN", (await given.AskAsync(given.OfTeamA, query))["errors"]![0]!["extensions"]!["code"]!.GetValue<string>());

    [Fact]
    public async Task Use_of_a_pod_of_another_namespace_is_not_there()
    {
        await given.TellInTimeAsync("n1", () => Report("n1", new HeardMoment(TimeProvider.System.GetUtcNow(), [(new(given.Device, given.PodUid, "main"), new(70, 1))])));

        var trend = await given.AskAsync(given.OfTeamA, $$"""{ usageTrend(of: { podUid: "{{given.PodUid}}" }) { points { series } } own: usageTrend(of: { namespace: "team-a" }) { points { series } } }""");
        Assert.Null(trend["errors"]);
        Assert.All(trend["data"]!["usageTrend"]!["points"]!.AsArray().Concat(trend["data"]!["own"]!["points"]!.AsArray()), p => Assert.Null(p!["series"]));
    }

    [Fact]
    public async Task A_node_shows_nothing_under_the_name_of_pods_that_are_elsewhere()
    {
        var answer = await given.TellAsync(given.Tokens[("agent", "n2")], Report("n2", new HeardMoment(TimeProvider.System.GetUtcNow(), [(new("GPU-n2-0", given.PodUid, "main"), new(99, 1))])));

        Assert.Contains("Shares of pods that hold nothing on this node", Assert.Single(answer.Refused), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_report_beyond_the_limits_is_refused_with_a_sentence_and_other_nodes_go_on()
    {
        var many = new ReportRequest { Node = "n3" };
        many.Cards.AddRange(Enumerable.Range(0, 65).Select(i => new api::Hami.Telemetry.V1.Card { Uuid = $"GPU-{i}" }));
        var senseless = await Assert.ThrowsAsync<RpcException>(() => given.TellAsync(given.Tokens[("agent", "n3")], many));
        Assert.Equal((StatusCode.InvalidArgument, "A report tells of 65 cards; a node may have 64."), (senseless.StatusCode, senseless.Status.Detail));

        var large = new ReportRequest { Node = "n3" };
        large.Cards.Add(new api::Hami.Telemetry.V1.Card { Uuid = new('x', 2 << 20) });
        Assert.Equal(StatusCode.ResourceExhausted, (await Assert.ThrowsAsync<RpcException>(() => given.TellAsync(given.Tokens[("agent", "n3")], large))).StatusCode);

        // As fast as it can: after a burst it is told to wait, and the other is heard.
        var refused = 0;
        for (var i = 0; i < TelemetryLimits.Burst * 3; i++)
        {
            try
            {
                await given.TellAsync(given.Tokens[("agent", "n3")], Report("n3"));
            }
            catch (RpcException e) when (e.StatusCode is StatusCode.ResourceExhausted)
            {
                refused++;
            }
        }
        Assert.True(refused > 0);
        Assert.Empty((await given.TellAsync(given.Tokens[("agent", "n2")], Report("n2"))).Refused);
    }

    [Fact]
    public async Task The_agent_and_the_control_plane_of_this_version_understand_each_other()
    {
        var (readings, token) = (new NodeReadings(), Path.Combine(Path.GetTempPath(), $"hami-token-{Guid.NewGuid():N}"));
        await File.WriteAllTextAsync(token, given.Tokens[("agent", "n1")]);
        using var sender = new TelemetrySender(
            new() { NodeName = "n1", DeviceFile = "", Telemetry = new(given.Tls, given.AuthorityFile, token) { Interval = TimeSpan.FromMilliseconds(100) } },
            readings, TimeProvider.System, NullLogger<TelemetrySender>.Instance);
        await sender.StartAsync(CancellationToken.None);
        var number = 0;
        await ControlPlaneScene.UntilAsync(
            async () =>
            {
                readings.Set(new(TimeProvider.System.GetUtcNow(), [new("GPU-n1-1", 1, "A100", true, 40L << 30, (7L << 30) + (++number << 20), 33, 1, 50, 100_000, 1)], []));
                return (await given.Scene.QueryAsync("""{ devices(filter: { uuid: "GPU-n1-1" }) { items { usage { memoryUsedMiB busy } } } }"""))["devices"]!["items"]![0]!["usage"]?["memoryUsedMiB"]?.GetValue<long>() > 7 << 10;
            },
            () => given.Scene.Log);
        await sender.StopAsync(CancellationToken.None);
        File.Delete(token);
    }

    [Fact]
    public async Task The_metrics_say_which_nodes_tell_and_what_was_not_kept()
    {
        await given.TellInTimeAsync("n1", () => Report("n1", Moment("n1", TimeProvider.System.GetUtcNow(), new(1, 1)), Moment("n1", TimeProvider.System.GetUtcNow().AddDays(-1), new(1, 1))));
        using var http = new HttpClient();
        var text = await http.GetStringAsync(given.Scene.Metrics);

        Assert.Matches("(?m)^hami_telemetry_nodes [12]$", text);
        Assert.Matches("(?m)^hami_telemetry_report_age_seconds\\{node=\"n1\"\\} [0-9]", text);
        Assert.Matches("(?m)^hami_telemetry_moments_total\\{outcome=\"taken\"\\} [1-9]", text);
        Assert.Matches("(?m)^hami_telemetry_dropped_total\\{why=\"refused\"\\} [1-9]", text);
    }

    [Theory]
    [InlineData("""{ usageTrend(stepSeconds: 7) { stepSeconds } }""", "stepSeconds is 7; it must be a multiple of 5")]
    [InlineData("""{ usageTrend(stepSeconds: 10) { stepSeconds } }""", "Steps shorter than 300 s are kept for 15 minutes")]
    [InlineData("""{ usageTrend(from: "2026-01-01T00:00:00Z", to: "2026-01-30T00:00:00Z", stepSeconds: 300) { stepSeconds } }""", "These are more than 1000 points")]
    [InlineData("""{ usageTrend(from: "2026-01-30T00:00:00Z", to: "2026-01-01T00:00:00Z") { stepSeconds } }""", "from must be before to")]
    [InlineData("""{ usageTrend(of: { ownerName: "x" }) { stepSeconds } }""", "An owner is named by ownerKind, ownerName and namespace together")]
    public async Task Trends_that_cannot_be_are_refused_with_a_sentence(string query, string sentence) =>
        Assert.Contains(sentence, (await given.AskAsync("lab", query))["errors"]![0]!["message"]!.GetValue<string>(), StringComparison.Ordinal);

    [Fact]
    public async Task A_workloads_use_is_asked_for_by_its_owner()
    {
        var data = await given.Scene.QueryAsync("""{ usageTrend(of: { namespace: "default", ownerKind: "Deployment", ownerName: "none" }) { points { series } } }""");
        Assert.All(data["usageTrend"]!["points"]!.AsArray(), p => Assert.Null(p!["series"]));
    }

    private static string Device(int index) => $"GPU-n1-{index}";
}
