using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Access;

/// <summary>A pod in the namespace default and one in team-a hold something, another waits in each; people see parts of that.</summary>
public sealed class AccessScene : IAsyncLifetime
{
    private readonly HttpClient _http = new();

    internal ControlPlaneScene Scene { get; private set; } = null!;

    /// <summary>May list the pods of team-a.</summary>
    internal string OfTeamA { get; private set; } = "";

    /// <summary>May list the pods of team-a, and nodes.</summary>
    internal string OfTeamAWithNodes { get; private set; } = "";

    /// <summary>May list pods everywhere, as who has the role view for the cluster.</summary>
    internal string Viewer { get; private set; } = "";

    /// <summary>May list nothing.</summary>
    internal string Stranger { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        Scene = await ControlPlaneScene.StartAsync(nodes: 1, memoryMiB: 20000);
        await Scene.Kubernetes.CoreV1.CreateNamespaceAsync(new V1Namespace { Metadata = new() { Name = "team-a" } });
        foreach (var @namespace in (string[])["default", "team-a"])
        {
            var pod = await PodAsync(@namespace, "holds", 1000);
            Assert.NotNull((await FilterAsync(pod))["NodeNames"]);
            Assert.Equal("", (await Scene.BindAsync(pod, "n1"))["Error"]!.GetValue<string>());
            await FilterAsync(await PodAsync(@namespace, "waits", 1_000_000));
        }
        OfTeamA = await AccountAsync("of-team-a");
        OfTeamAWithNodes = await AccountAsync("of-team-a-with-nodes");
        Viewer = await AccountAsync("viewer");
        Stranger = await AccountAsync("stranger");
        await PostAsync("apis/rbac.authorization.k8s.io/v1/namespaces/team-a/rolebindings", Binding("view-a", "view", "of-team-a"));
        await PostAsync("apis/rbac.authorization.k8s.io/v1/namespaces/team-a/rolebindings", Binding("view-a-too", "view", "of-team-a-with-nodes"));
        await PostAsync(
            "apis/rbac.authorization.k8s.io/v1/clusterroles", new { metadata = new { name = "nodes" }, rules = new[] { new { apiGroups = new[] { "" }, resources = new[] { "nodes" }, verbs = new[] { "list" } } } });
        await PostAsync("apis/rbac.authorization.k8s.io/v1/clusterrolebindings", Binding("nodes", "nodes", "of-team-a-with-nodes"));
        await PostAsync("apis/rbac.authorization.k8s.io/v1/clusterrolebindings", Binding("view-all", "view", "viewer"));
        await ControlPlaneScene.UntilAsync(
            async () => await Scene.QueryAsync("{ allocations { totalCount } pendingPods { totalCount } }") is { } data
                && (data["allocations"]!["totalCount"]!.GetValue<int>(), data["pendingPods"]!["totalCount"]!.GetValue<int>()) == (2, 2), () => Scene.Log);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Scene.DisposeAsync();
    }

    internal async Task<(int Status, JsonNode Body, HttpResponseHeaders Headers)> AskAsync(string? token, string query)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Scene.Address, "graphql")) { Content = JsonContent.Create(new { query }) };
        if (token is not null)
            request.Headers.TryAddWithoutValidation("Authorization", token);
        using var answer = await _http.SendAsync(request);
        return ((int)answer.StatusCode, JsonNode.Parse(await answer.Content.ReadAsStringAsync())!, answer.Headers);
    }

    private static object Binding(string name, string role, string account) => new
    {
        metadata = new { name },
        roleRef = new { apiGroup = "rbac.authorization.k8s.io", kind = "ClusterRole", name = role },
        subjects = new[] { new { kind = "ServiceAccount", name = account, @namespace = "default" } },
    };

    private async Task<string> AccountAsync(string name)
    {
        await PostAsync("api/v1/namespaces/default/serviceaccounts", new { metadata = new { name } });
        return $"Bearer {(await PostAsync($"api/v1/namespaces/default/serviceaccounts/{name}/token", new { spec = new { } }))["status"]!["token"]}";
    }

    private async Task<JsonNode> PostAsync(string path, object body)
    {
        using var answer = await _http.PostAsJsonAsync(new Uri(Scene.Server.Address, path), body);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, text);
        return JsonNode.Parse(text)!;
    }

    private Task<V1Pod> PodAsync(string @namespace, string name, long memoryMiB) => Scene.Kubernetes.CoreV1.CreateNamespacedPodAsync(
        new()
        {
            Metadata = new() { Name = $"{name}-in-{@namespace}", NamespaceProperty = @namespace },
            Spec = new()
            {
                SchedulerName = "hami-scheduler",
                Containers =
                [
                    new()
                    {
                        Name = "main", Image = "x",
                        Resources = new() { Limits = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["nvidia.com/gpu"] = new("1"), ["nvidia.com/gpumem"] = new($"{memoryMiB}") } },
                    },
                ],
            },
        },
        @namespace);

    private Task<JsonObject> FilterAsync(V1Pod pod) => Scene.PostAsync("filter", new JsonObject
    {
        ["Pod"] = JsonNode.Parse(KubernetesJson.Serialize(pod)), ["Nodes"] = null, ["NodeNames"] = new JsonArray("n1"),
    });
}
