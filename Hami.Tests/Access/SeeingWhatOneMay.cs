using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Hami.Tests.Given;

namespace Hami.Tests.Access;

/// <summary>The API server says who asks; they see the rows of the namespaces whose pods they may list.</summary>
public sealed class SeeingWhatOneMay(AccessScene given) : IClassFixture<AccessScene>
{
    private const string Everything =
        """
        {
          nodes { items { name devices { uuid usedMemoryMiB shares { namespace } } allocations { namespace } } } devices { totalCount }
          allocations { totalCount items { namespace } } pendingPods { totalCount items { namespace } } quotas { totalCount items { namespace } }
          usage { totalCount items { namespace } } events(first: 500) { totalCount items { type stream body } }
          clusterAt(time: "2100-01-01T00:00:00Z") { nodes { cards { holders { namespace } } } waiting { namespace } }
        }
        """;

    [Theory]
    [InlineData(null)]
    [InlineData("Bearer")]
    [InlineData("Bearer wrong")]
    [InlineData("Bearer a.b.c")]
    [InlineData("Basic bGFiOmxhYg==")]
    public async Task Whoever_has_no_good_token_sees_nothing(string? token)
    {
        var (status, body, headers) = await given.AskAsync(token, "{ eventCount }");

        Assert.Equal(401, status);
        Assert.Equal("Bearer", headers.WwwAuthenticate.Single().Scheme);
        Assert.Null(body["data"]);
        Assert.True(body["errors"]![0]!["message"]!.GetValue<string>().Length > 20);
    }

    [Fact]
    public async Task A_token_in_the_address_is_none()
    {
        using var http = new HttpClient();
        using var answer = await http.PostAsync(new Uri(given.Scene.Address, "graphql?access_token=lab&token=lab"), new StringContent("""{"query":"{ eventCount }"}"""));

        Assert.Equal(401, (int)answer.StatusCode);
    }

    [Fact]
    public async Task Who_may_list_the_pods_of_one_namespace_sees_its_rows_and_nothing_of_others()
    {
        var (status, body, _) = await given.AskAsync(given.OfTeamA, Everything);

        Assert.True(body["errors"] is null, body["errors"]?.ToJsonString());
        Assert.Equal(200, status);
        Assert.DoesNotContain("default", body.ToJsonString(), StringComparison.Ordinal);
        var data = body["data"]!;
        Assert.Empty(data["nodes"]!["items"]!.AsArray());
        Assert.Equal(0, data["devices"]!["totalCount"]!.GetValue<int>());
        foreach (var list in (string[])["allocations", "pendingPods", "quotas", "usage"])
            Assert.Equal("team-a", Assert.Single(data[list]!["items"]!.AsArray())!["namespace"]!.GetValue<string>());
        Assert.Equal(["allocation_bound", "allocation_placed", "placement_refused"], data["events"]!["items"]!.AsArray().Select(e => e!["type"]!.GetValue<string>()).Order(StringComparer.Ordinal));
        Assert.Equal("team-a", Assert.Single(data["clusterAt"]!["waiting"]!.AsArray())!["namespace"]!.GetValue<string>());
    }

    [Fact]
    public async Task Of_a_moment_in_the_past_one_sees_what_one_sees_of_now()
    {
        // The last moment that is no more to come.
        var at = (await given.Scene.QueryAsync("{ events(first: 1) { items { at } } }"))["events"]!["items"]![0]!["at"]!;

        var (_, body, _) = await given.AskAsync(
            given.OfTeamA,
            $$"""
            {
              nodes(at: "{{at}}") { totalCount } devices(at: "{{at}}") { totalCount } pendingPods(at: "{{at}}") { items { namespace } } quotas(at: "{{at}}") { items { namespace } }
              allocations(at: "{{at}}") { items { namespace } }
            }
            """);

        const string Mine = """{"items":[{"namespace":"team-a"}]}""";
        Assert.Equal($$"""{"nodes":{"totalCount":0},"devices":{"totalCount":0},"pendingPods":{{Mine}},"quotas":{{Mine}},"allocations":{{Mine}}}""", body["data"]!.ToJsonString());
        await ControlPlaneScene.UntilAsync(
            () => Task.FromResult(given.Scene.Log.Contains("system:serviceaccount:default:of-team-a nodes,devices,pendingPods,quotas,allocations in * from ", StringComparison.Ordinal)), () => given.Scene.Log);
    }

    [Theory]
    [InlineData("""{ allocations(filter: { namespace: "default" }) { totalCount } }""")]
    [InlineData("""{ events(filter: { namespace: "default" }) { totalCount } }""")]
    [InlineData("""{ pendingPods(filter: { namespace: "default" }) { totalCount } }""")]
    [InlineData("""{ quotas(filter: { namespace: "default" }) { totalCount } }""")]
    [InlineData("""{ usage(filter: { namespace: "default" }) { totalCount } }""")]
    [InlineData("""{ explain(pod: "default/holds-in-default") { pod } }""")]
    [InlineData("""{ nodes(filter: { name: "n1" }) { totalCount } }""")]
    [InlineData("""{ devices(filter: { uuid: "GPU-n1-0" }) { totalCount } }""")]
    [InlineData("{ cardDays { totalCount } }")]
    [InlineData("{ cluster { nodes } }")]
    [InlineData("""{ cluster(at: "2020-01-01T00:00:00Z") { nodes } }""")]
    [InlineData("""{ compare(from: "2020-01-01T00:00:00Z") { stayed } }""")]
    [InlineData("""{ nodes(at: "2020-01-01T00:00:00Z", filter: { name: "n1" }) { totalCount } }""")]
    [InlineData("""{ devices(at: "2020-01-01T00:00:00Z", filter: { node: "n1" }) { totalCount } }""")]
    [InlineData("""{ pendingPods(at: "2020-01-01T00:00:00Z", filter: { namespace: "default" }) { totalCount } }""")]
    [InlineData("""{ quotas(at: "2020-01-01T00:00:00Z", filter: { namespace: "default" }) { totalCount } }""")]
    [InlineData("""{ allocations(at: "2020-01-01T00:00:00Z", filter: { namespace: "default" }) { totalCount } }""")]
    [InlineData("{ allocationTrend { stepSeconds } }")]
    [InlineData("""{ allocationTrend(of: { namespace: "default" }) { stepSeconds } }""")]
    [InlineData("""{ allocationTrend(of: { namespace: "team-a", node: "n1" }) { stepSeconds } }""")]
    [InlineData("""{ allocationTrend(of: { deviceUuid: "GPU-n1-0" }) { stepSeconds } }""")]
    [InlineData("""{ refusals(pod: "default/waits-in-default") { totalCount } }""")]
    [InlineData("""{ refusals(pod: "team-a/waits-in-team-a") { totalCount } }""")]
    [InlineData("""{ clusterAt(time: "2100-01-01T00:00:00Z", node: "n1") { position } }""")]
    [InlineData("""{ whatIf(policy: "spread", from: "2001-01-01T00:00:00Z") { approximates } }""")]
    public async Task What_is_not_ones_own_is_refused_when_it_is_asked_for_by_name(string query)
    {
        var (_, body, _) = await given.AskAsync(given.OfTeamA, query);

        Assert.Equal("FORBIDDEN", body["errors"]![0]!["extensions"]!["code"]!.GetValue<string>());
        Assert.Contains("You may not see", body["errors"]![0]!["message"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pod_of_another_namespace_is_not_there_when_it_is_asked_for_by_its_uid()
    {
        var foreign = (await given.Scene.QueryAsync("""{ allocations(filter: { namespace: "default" }) { items { id podUid } } }"""))["allocations"]!["items"]![0]!;

        var (_, body, _) = await given.AskAsync(
            given.OfTeamA, $$"""{ allocations(filter: { podUid: "{{foreign["podUid"]}}" }) { totalCount } explain(pod: "{{foreign["podUid"]}}") { pod } events(filter: { allocationId: "{{foreign["id"]}}" }) { totalCount } }""");

        Assert.Equal("""{"allocations":{"totalCount":0},"explain":null,"events":{"totalCount":0}}""", body["data"]!.ToJsonString());
    }

    [Fact]
    public async Task Who_may_list_nodes_sees_why_they_do_not_take_ones_own_pods_and_nothing_of_others()
    {
        var foreign = (await given.Scene.QueryAsync("""{ pendingPods(filter: { namespace: "default" }) { items { podUid } } }"""))["pendingPods"]!["items"]![0]!["podUid"]!;

        var (_, body, _) = await given.AskAsync(
            given.OfTeamAWithNodes,
            $$"""{ own: refusals(pod: "team-a/waits-in-team-a") { items { node cards { reason } } } foreign: refusals(pod: "{{foreign}}") { totalCount } pendingPods(first: 5) { items { live { phase } wouldFit } } }""");

        Assert.Equal(
            """{"own":{"items":[{"node":"n1","cards":[{"reason":"CardInsufficientMemory"},{"reason":"CardInsufficientMemory"}]}]},"foreign":{"totalCount":0}}""",
            new JsonObject { ["own"] = body["data"]!["own"]!.DeepClone(), ["foreign"] = body["data"]!["foreign"]!.DeepClone() }.ToJsonString());
        var waits = Assert.Single(body["data"]!["pendingPods"]!["items"]!.AsArray())!;
        Assert.Equal("Pending", waits["live"]!["phase"]!.ToString());
        Assert.DoesNotContain("default/", waits["wouldFit"]!.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_may_list_pods_everywhere_sees_all_rows_and_no_nodes()
    {
        var (_, body, _) = await given.AskAsync(given.Viewer, "{ you { name allNamespaces nodes } nodes { totalCount } allocations { totalCount } events(first: 500) { items { stream type } } }");

        var data = body["data"]!;
        Assert.Equal("""{"name":"system:serviceaccount:default:viewer","allNamespaces":true,"nodes":false}""", data["you"]!.ToJsonString());
        Assert.Equal((0, 2), (data["nodes"]!["totalCount"]!.GetValue<int>(), data["allocations"]!["totalCount"]!.GetValue<int>()));
        Assert.DoesNotContain(data["events"]!["items"]!.AsArray(), e => e!["type"]!.GetValue<string>() is "devices_registered" or "policy_changed");
    }

    [Theory]
    [InlineData(true, 200)]
    [InlineData(false, 401)]
    public async Task Whoever_is_signed_in_is_told_that_something_happened_and_nothing_else(bool isSignedIn, int status)
    {
        using var http = new HttpClient { DefaultRequestHeaders = { Accept = { new("text/event-stream") } } };
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(given.Scene.Address, "graphql/stream")) { Content = JsonContent.Create(new { query = "subscription { clusterChanged { position at } }" }) };
        request.Headers.TryAddWithoutValidation("Authorization", isSignedIn ? given.Stranger : "Bearer wrong");
        request.Headers.TryAddWithoutValidation("Last-Event-ID", "0");
        using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);

        Assert.Equal(status, (int)answer.StatusCode);
        if (!isSignedIn)
            return;
        using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync());
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        string? line;
        while ((line = await lines.ReadLineAsync(patience.Token)) is not null && !line.StartsWith("data: {", StringComparison.Ordinal))
        {
            // Before it stand an id and the kind of the event.
        }
        var told = JsonNode.Parse(line!["data: ".Length..])!.AsObject();
        Assert.Equal(["data", "extensions"], told.Select(t => t.Key));
        Assert.Equal(["position", "at"], told["data"]!["clusterChanged"]!.AsObject().Select(c => c.Key));
    }

    [Fact]
    public async Task Who_may_list_nothing_sees_empty_lists()
    {
        var (status, body, _) = await given.AskAsync(given.Stranger, Everything);

        Assert.True(body["errors"] is null, body["errors"]?.ToJsonString());
        Assert.Equal(200, status);
        Assert.DoesNotContain("team-a", body.ToJsonString(), StringComparison.Ordinal);
        Assert.DoesNotContain("default", body.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_admin_sees_the_cluster()
    {
        var data = (await given.AskAsync("Bearer lab", Everything)).Body["data"]!;

        Assert.Equal(2, data["allocations"]!["totalCount"]!.GetValue<int>());
        Assert.Equal(["default", "team-a"], data["nodes"]!["items"]![0]!["allocations"]!.AsArray().Select(a => a!["namespace"]!.GetValue<string>()));
        Assert.Contains(data["events"]!["items"]!.AsArray(), e => e!["type"]!.GetValue<string>() == "devices_registered");
        Assert.Equal(["default", "team-a"], data["clusterAt"]!["nodes"]![0]!["cards"]!.AsArray().SelectMany(c => c!["holders"]!.AsArray()).Select(h => h!["namespace"]!.GetValue<string>()).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_log_says_who_asked_for_which_history_and_never_with_which_token()
    {
        await given.AskAsync(given.OfTeamA, """{ allocations(filter: { namespace: "team-a\nforged line", from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z" }) { totalCount } }""");
        await given.AskAsync(given.OfTeamA, """{ allocations(filter: { namespace: "team-a", from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z" }) { totalCount } }""");
        await given.AskAsync("Bearer secret-of-somebody", "{ eventCount }");

        const string Line = "system:serviceaccount:default:of-team-a allocations in team-a from 2026-01-01T00:00:00.0000000Z to 2026-02-01T00:00:00.0000000Z: answered";
        await ControlPlaneScene.UntilAsync(() => Task.FromResult(given.Scene.Log.Contains(Line, StringComparison.Ordinal)), () => given.Scene.Log);
        await ControlPlaneScene.UntilAsync(() => Task.FromResult(given.Scene.Log.Contains("Not let in to GraphQL", StringComparison.Ordinal)), () => given.Scene.Log);
        Assert.DoesNotContain(given.OfTeamA["Bearer ".Length..], given.Scene.Log, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-of-somebody", given.Scene.Log, StringComparison.Ordinal);
        Assert.DoesNotContain(given.Scene.Log.Split('\n'), line => line.StartsWith("forged line", StringComparison.Ordinal));
    }
}
