using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Hami.Lab.ApiServer;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>Who may do what, in a real server's words.</summary>
public sealed class ApiServerAccess
{
    private const string Issuer = "https://kubernetes.default.svc";

    [Fact]
    public async Task A_request_with_a_bad_token_is_nobodys_and_one_without_is_the_administrators()
    {
        await using var lab = await Running();
        foreach (var token in (string[])["wrong", "a.b.c"])
        {
            var (code, status) = await Send(lab, token, "GET", "/api/v1/pods");
            Assert.Equal((401, "Unauthorized", "Unauthorized"), (code, (string)status!["message"]!, (string)status["reason"]!));
        }
        // kubectl sends no token where there is no TLS.
        Assert.Equal(200, (await Send(lab, null, "GET", "/api/v1/pods")).Code);
    }

    [Fact]
    public async Task An_account_may_do_what_its_roles_say_and_nothing_else()
    {
        await using var lab = await Running();
        var token = await Token(lab);
        var (code, status) = await Send(lab, token, "GET", "/api/v1/namespaces/default/pods");
        Assert.Equal(
            (403, "pods is forbidden: User \"system:serviceaccount:default:default\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\""),
            (code, (string)status!["message"]!));
        await Post(lab, "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles",
            """{"metadata":{"name":"looker"},"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["list"]},{"apiGroups":["apps"],"resources":["deployments/scale"],"resourceNames":["web"],"verbs":["*"]}]}""");
        await Post(lab, "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
            """{"metadata":{"name":"looks"},"roleRef":{"kind":"Role","name":"looker"},"subjects":[{"kind":"ServiceAccount","name":"default","namespace":"default"}]}""");
        Assert.Equal(200, (await Send(lab, token, "GET", "/api/v1/namespaces/default/pods")).Code);
        Assert.Equal(404, (await Send(lab, token, "GET", "/apis/apps/v1/namespaces/default/deployments/web/scale")).Code);
        foreach (var (method, path, words) in new[]
        {
            ("GET", "/api/v1/namespaces/default/pods/p", "pods \"p\" is forbidden: User \"system:serviceaccount:default:default\" cannot get resource \"pods\" in API group \"\" in the namespace \"default\""),
            ("GET", "/api/v1/pods", "pods is forbidden: User \"system:serviceaccount:default:default\" cannot list resource \"pods\" in API group \"\" at the cluster scope"),
            ("GET", "/api/v1/namespaces/default/pods?watch=1", "pods is forbidden: User \"system:serviceaccount:default:default\" cannot watch resource \"pods\" in API group \"\" in the namespace \"default\""),
            ("GET", "/apis/apps/v1/namespaces/default/deployments/other/scale",
                "deployments.apps \"other\" is forbidden: User \"system:serviceaccount:default:default\" cannot get resource \"deployments/scale\" in API group \"apps\" in the namespace \"default\""),
            ("GET", "/metrics", "forbidden: User \"system:serviceaccount:default:default\" cannot get path \"/metrics\""),
        })
        {
            var (refused, why) = await Send(lab, token, method, path);
            Assert.Equal((403, words), (refused, (string)why!["message"]!));
        }
    }

    [Fact]
    public async Task A_token_ends_with_its_time_its_pod_and_its_account()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var lab = await Running(new LabApiServerOptions { Time = clock });
        await lab.Create(Pod("p", node: "n"));
        var bound = await Token(lab, """{"spec":{"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"p"}}}""");
        var review = await Review(lab, bound);
        Assert.True((bool)review["authenticated"]!);
        Assert.Equal("system:serviceaccount:default:default", (string)review["user"]!["username"]!);
        Assert.Equal(["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"], review["user"]!["groups"]!.AsArray().Select(g => (string)g!));
        Assert.Equal(("p", "n"), ((string)review["user"]!["extra"]!["authentication.kubernetes.io/pod-name"]![0]!, (string)review["user"]!["extra"]!["authentication.kubernetes.io/node-name"]![0]!));
        Assert.Equal(Issuer, (string)review["audiences"]![0]!);
        Assert.Null((await Review(lab, bound, """,["other"]"""))["authenticated"]);

        await lab.Client.CoreV1.DeleteNamespacedPodAsync("p", "default", gracePeriodSeconds: 0, cancellationToken: Cancellation);
        Assert.Null((await Review(lab, bound))["authenticated"]);
        var plain = await Token(lab);
        clock.Advance(TimeSpan.FromSeconds(3601));
        Assert.Equal("[invalid bearer token, service account token has expired]", (string)(await Review(lab, plain))["error"]!);
        var (code, status) = await lab.Send("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", """{"spec":{"expirationSeconds":10}}""");
        Assert.Equal(422, code);
        Assert.Contains("spec.expirationSeconds: Invalid value: 10: may not specify a duration less than 10 minutes", (string)status!["message"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_is_good_after_a_restart()
    {
        var store = Path.Combine(Directory.CreateTempSubdirectory("hami-lab-").FullName, "store");
        string token;
        await using (var lab = await Running(new LabApiServerOptions { StorePath = store }))
            token = await Token(lab);
        await using (var lab = await Running(new LabApiServerOptions { StorePath = store }))
            Assert.True((bool)(await Review(lab, token))["authenticated"]!);
        Directory.Delete(Path.GetDirectoryName(store)!, recursive: true);
    }

    [Fact]
    public async Task Reviews_answer_what_the_door_would()
    {
        await using var lab = await Running();
        await Post(lab, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            """{"metadata":{"name":"eve-views"},"roleRef":{"kind":"ClusterRole","name":"view"},"subjects":[{"kind":"User","name":"eve"}]}""");
        async Task<JsonNode> Ask(string user, string verb, string resource) => (await Post(lab, "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            "{\"spec\":{\"user\":\"" + user + "\",\"resourceAttributes\":{\"verb\":\"" + verb + "\",\"resource\":\"" + resource + "\",\"namespace\":\"default\"}}}"))["status"]!;
        var yes = await Ask("eve", "list", "pods");
        Assert.Equal((true, "RBAC: allowed by ClusterRoleBinding \"eve-views\" of ClusterRole \"view\" to User \"eve\""), ((bool)yes["allowed"]!, (string)yes["reason"]!));
        Assert.False((bool)(await Ask("eve", "delete", "pods"))["allowed"]!);
        Assert.False((bool)(await Ask("eve", "get", "secrets"))["allowed"]!);
        Assert.False((bool)(await Ask("mallory", "list", "pods"))["allowed"]!);
    }

    [Fact]
    public async Task Whoever_may_impersonate_is_taken_for_the_other()
    {
        await using var lab = await Running();
        using var asEve = new HttpRequestMessage(HttpMethod.Get, "/api/v1/namespaces/default/pods");
        asEve.Headers.Add("Impersonate-User", "eve");
        using var refused = await lab.Raw.SendAsync(asEve, Cancellation);
        Assert.Contains("User \\\"eve\\\" cannot list resource", await refused.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);

        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/namespaces/default/pods");
        request.Headers.Add("Impersonate-User", "admin");
        request.Headers.Add("Impersonate-Group", "system:masters");
        request.Headers.Authorization = new("Bearer", await Token(lab));
        using var tried = await lab.Raw.SendAsync(request, Cancellation);
        Assert.Contains(
            "users \\\"admin\\\" is forbidden: User \\\"system:serviceaccount:default:default\\\" cannot impersonate resource \\\"users\\\" in API group \\\"\\\" at the cluster scope",
            await tried.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_in_the_query_allows_no_more_than_the_list_it_selects()
    {
        await using var lab = await Running();
        await Post(lab, "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles",
            """{"metadata":{"name":"one"},"rules":[{"apiGroups":[""],"resources":["configmaps"],"resourceNames":["mine"],"verbs":["list","create","watch"]},{"apiGroups":[""],"resources":["secrets"],"verbs":["watch"]}]}""");
        await Post(lab, "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
            """{"metadata":{"name":"ones"},"roleRef":{"kind":"Role","name":"one"},"subjects":[{"kind":"ServiceAccount","name":"default","namespace":"default"}]}""");
        await Post(lab, "/api/v1/namespaces/default/secrets", """{"metadata":{"name":"s"}}""");
        var token = await Token(lab);
        Assert.Equal(200, (await Send(lab, token, "GET", "/api/v1/namespaces/default/configmaps?fieldSelector=metadata.name%3Dmine")).Code);
        Assert.Equal(403, (await Send(lab, token, "POST", "/api/v1/namespaces/default/configmaps?fieldSelector=metadata.name%3Dmine", """{"metadata":{"name":"another"}}""")).Code);
        // One object is got and not watched, whatever the query says: who may only watch may not read it so.
        Assert.Equal(403, (await Send(lab, token, "GET", "/api/v1/namespaces/default/secrets/s?watch=true")).Code);
    }

    [Fact]
    public async Task A_token_meant_for_somebody_else_opens_no_door()
    {
        await using var lab = await Running();
        var token = await Token(lab, """{"spec":{"audiences":["vault"]}}""");
        Assert.True((bool)(await Review(lab, token, """,["vault"]"""))["authenticated"]!);
        Assert.Equal(401, (await Send(lab, token, "GET", "/version")).Code);
        Assert.Equal(200, (await Send(lab, await Token(lab), "GET", "/version")).Code);
    }

    [Fact]
    public async Task A_nodes_token_ends_with_the_node()
    {
        await using var lab = await Running();
        await Post(lab, "/api/v1/nodes", """{"metadata":{"name":"n"}}""");
        var token = await Token(lab, """{"spec":{"boundObjectRef":{"kind":"Node","apiVersion":"v1","name":"n"}}}""");
        Assert.True((bool)(await Review(lab, token))["authenticated"]!);
        await lab.Client.CoreV1.DeleteNodeAsync("n", cancellationToken: Cancellation);
        Assert.Equal("[invalid bearer token, service account token has been invalidated]", (string)(await Review(lab, token))["error"]!);
    }

    [Fact]
    public async Task Nobody_takes_anothers_uid_unasked()
    {
        await using var lab = await Running();
        await Post(lab, "/apis/rbac.authorization.k8s.io/v1/clusterroles", """{"metadata":{"name":"actor"},"rules":[{"apiGroups":[""],"resources":["users"],"verbs":["impersonate"]}]}""");
        await Post(lab, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            """{"metadata":{"name":"acts"},"roleRef":{"kind":"ClusterRole","name":"actor"},"subjects":[{"kind":"ServiceAccount","name":"default","namespace":"default"}]}""");
        var token = await Token(lab);
        Assert.Equal("eve", (await Whoami())!["username"]!.GetValue<string>());
        Assert.Contains("cannot impersonate resource \"uids\"", (await Whoami("7"))!["message"]!.GetValue<string>(), StringComparison.Ordinal);

        async Task<JsonNode?> Whoami(string? uid = null)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/apis/authentication.k8s.io/v1/selfsubjectreviews");
            request.Content = new StringContent("{}", Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
            request.Headers.Authorization = new("Bearer", token);
            request.Headers.Add("Impersonate-User", "eve");
            if (uid is not null)
                request.Headers.Add("Impersonate-Uid", uid);
            using var response = await lab.Raw.SendAsync(request, Cancellation);
            var answer = JsonNode.Parse(await response.Content.ReadAsStringAsync(Cancellation))!;
            return answer["status"] is JsonObject status ? status["userInfo"] : answer;
        }
    }

    private static async Task<string> Token(ApiServerGiven lab, string body = "{}") =>
        (string)(await Post(lab, "/api/v1/namespaces/default/serviceaccounts/default/token", body))["status"]!["token"]!;

    private static async Task<JsonNode> Review(ApiServerGiven lab, string token, string audiences = "") => (await Post(lab, "/apis/authentication.k8s.io/v1/tokenreviews",
        "{\"spec\":{\"token\":\"" + token + "\"" + (audiences.Length > 0 ? ",\"audiences\":" + audiences[1..] : "") + "}}"))["status"]!;

    private static async Task<JsonNode> Post(ApiServerGiven lab, string path, string body)
    {
        var (code, answer) = await lab.Send("POST", path, body);
        Assert.True(code == 201, answer?.ToJsonString());
        return answer!;
    }

    private static async Task<(int Code, JsonNode? Body)> Send(ApiServerGiven lab, string? token, string method, string path, string? body = null)
    {
        using var client = new HttpClient { BaseAddress = lab.Server.Address };
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (token is not null)
            request.Headers.Authorization = new("Bearer", token);
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
        using var response = await client.SendAsync(request, Cancellation);
        return ((int)response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync(Cancellation)));
    }
}
