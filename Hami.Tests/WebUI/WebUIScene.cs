using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Hami.Api.Plumbing.Pages;
using Hami.Lab.ApiServer;
using Hami.Lab.Cluster;
using Hami.Lab.Demo;
using Hami.Tests.Given;
using k8s;
using k8s.Models;
using Microsoft.Playwright;

namespace Hami.Tests.WebUI;

[CollectionDefinition(WebUIScene.Shared)]
public sealed class WebUICollection : ICollectionFixture<WebUIScene>;

/// <summary>
/// A lab as <c>./hami up</c> starts it, with the workloads of deploy/examples, a namespace with a quota, a user who sees that alone,
/// and one browser. All tests of the web UI share it, one after the other.
/// </summary>
public sealed class WebUIScene : IAsyncLifetime
{
    /// <summary>One scene for all who look at pages.</summary>
    public const string Shared = "web UI";

    /// <summary>The namespace that has a quota.</summary>
    public const string Team = "team-a";

    private TestCluster? _cluster;
    private IPlaywright? _playwright;
    private IBrowser? _browser;

    internal LabCluster Lab => _cluster!.Lab;

    /// <summary>May see the namespace team-a, and nothing else.</summary>
    internal string OfTeamA { get; private set; } = "";

    internal IBrowser Browser
    {
        get
        {
            Assert.SkipWhen(WhyNot is not null, WhyNot ?? "");
            return _browser!;
        }
    }

    /// <summary>Why pages cannot be looked at here; null where they can.</summary>
    internal static string? WhyNot { get; } =
        Chromium.Program is null ? "There is no Chromium on this machine: apt-get install -y chromium, or name one in HAMI_TEST_CHROMIUM."
        : !File.Exists(Path.Combine(WebUIEndpoint.Built, "index.html")) ? "The web UI is not built in: npm was missing at build time."
        : Environment.GetEnvironmentVariable("HAMI_TEST_KUBECONFIG") is { Length: > 0 } ? "Pages are looked at in the lab's own cluster."
        : null;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        if (WhyNot is not null)
            return;
        try
        {
            var browser = StartBrowserAsync();
            _cluster = await TestCluster.StartAsync(nodes: [.. LabNode.Three, LabNode.WithMigCards[0]]);
            await FillAsync();
            await browser;
        }
        catch
        {
            // A fixture that did not start is not disposed.
            await DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
            await _browser.DisposeAsync();
        _playwright?.Dispose();
        if (_cluster is not null)
            await _cluster.DisposeAsync();
    }

    /// <summary>Somebody looks at the lab's pages; the admin of the cluster unless it is said who.</summary>
    internal Task<Visit> VisitAsync(Visitor? visitor = null) =>
        Visit.BeginAsync(Browser, new Uri(Lab.ControlPlane.GraphQL, "/"), visitor ?? new() { Token = Guard.AdminToken });

    /// <summary>Somebody looks at a page of the lab, as it is once everything is there.</summary>
    internal async Task<Visit> VisitAsync(string pathAndQuery, Visitor? visitor = null)
    {
        var visit = await VisitAsync(visitor);
        await visit.GoAsync(pathAndQuery);
        return visit;
    }

    internal Task<JsonObject> AskAsync(string query, object? variables = null) => Lab.ControlPlane.QueryAsync(query, Ct, variables);

    /// <summary>All that the control plane has logged.</summary>
    internal Task<string> LogOfTheApiAsync() => File.ReadAllTextAsync(Path.Combine(Lab.Logs, "hami-api.log"), Ct);

    /// <summary>A pod that asks for memory of one card.</summary>
    internal Task<V1Pod> CreatePodAsync(string name, string @namespace = "default", long memoryMiB = 500, string command = "exec sleep infinity") =>
        Lab.Kubernetes.CoreV1.CreateNamespacedPodAsync(
            new()
            {
                Metadata = new() { Name = name },
                Spec = new()
                {
                    Containers =
                    [
                        new()
                        {
                            Name = "main",
                            Image = "nvidia/cuda:11.4.3-runtime-ubuntu20.04",
                            Command = ["sh", "-c", command],
                            Resources = new()
                            {
                                Limits = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["nvidia.com/gpu"] = new("1"), ["nvidia.com/gpumem"] = new($"{memoryMiB}"), ["nvidia.com/gpucores"] = new("10") },
                            },
                        },
                    ],
                },
            },
            @namespace,
            cancellationToken: Ct);

    internal Task DeletePodAsync(string name, string @namespace = "default") =>
        Lab.Kubernetes.CoreV1.DeleteNamespacedPodAsync(name, @namespace, gracePeriodSeconds: 0, cancellationToken: Ct);

    /// <summary>What the ledger holds of a pod, once it has its devices.</summary>
    internal async Task<JsonObject> AllocationAsync(string pod)
    {
        JsonObject? found = null;
        await ControlPlaneScene.UntilAsync(
            async () => (found = (await AskAsync(
                "query($pod: String) { allocations(filter: { pod: $pod }) { items { podUid node placedAt attachedAt releasedAt shares { deviceUuid } } } }", new { pod }))["allocations"]!["items"]!.AsArray().SingleOrDefault() as JsonObject)
                ?["attachedAt"] is not null,
            () => $"{pod} got nothing: {found?.ToJsonString()}; the logs are in {Lab.Logs}");
        return found!;
    }

    private async Task StartBrowserAsync()
    {
        _playwright = await Playwright.CreateAsync();
        _browser = await Chromium.StartAsync(_playwright);
    }

    private async Task FillAsync()
    {
        await Lab.Kubernetes.CoreV1.CreateNamespaceAsync(new V1Namespace { Metadata = new() { Name = Team } }, cancellationToken: Ct);
        await Lab.Kubernetes.CoreV1.CreateNamespacedResourceQuotaAsync(
            new()
            {
                Metadata = new() { Name = "accelerators" },
                Spec = new() { Hard = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["limits.nvidia.com/gpumem"] = new("8k"), ["limits.nvidia.com/gpucores"] = new("200") } },
            },
            Team,
            cancellationToken: Ct);
        OfTeamA = await AccountAsync("of-team-a");

        var pods = new PodsOfTheDemo(Lab);
        await pods.CordonMigNodesAsync(cordoned: true, Ct);
        List<Workload> workloads = [.. Workloads.OnCards, Workloads.OnInstances.First()];
        foreach (var workload in Workloads.OnCards)
            await pods.ApplyAsync(workload, Ct);
        await CreatePodAsync("trains", Team, memoryMiB: 4000, command: "exec lab-cuda alloc 2500 --hold");
        await Task.WhenAll(workloads.SkipLast(1).Select(workload => SettledAsync(pods, workload)));
        await AllocationAsync("trains");
        await pods.CordonMigNodesAsync(cordoned: false, Ct);
        await pods.ApplyAsync(workloads[^1], Ct);
        await SettledAsync(pods, workloads[^1]);
        // Somebody who is history.
        await CreatePodAsync("ended");
        await AllocationAsync("ended");
        await DeletePodAsync("ended");
    }

    private static Task SettledAsync(PodsOfTheDemo pods, Workload workload) =>
        ControlPlaneScene.UntilAsync(() => pods.HasSettledAsync(workload, Ct), () => $"{workload.Name} has not come to what it should");

    private async Task<string> AccountAsync(string name)
    {
        await PostAsync($"api/v1/namespaces/{Team}/serviceaccounts", new { metadata = new { name } });
        await PostAsync($"apis/rbac.authorization.k8s.io/v1/namespaces/{Team}/rolebindings", new
        {
            metadata = new { name },
            roleRef = new { apiGroup = "rbac.authorization.k8s.io", kind = "ClusterRole", name = "view" },
            subjects = new[] { new { kind = "ServiceAccount", name, @namespace = Team } },
        });
        return (await PostAsync($"api/v1/namespaces/{Team}/serviceaccounts/{name}/token", new { spec = new { } }))["status"]!["token"]!.GetValue<string>();
    }

    private async Task<JsonNode> PostAsync(string path, object body)
    {
        using var http = new HttpClient { DefaultRequestHeaders = { Authorization = new("Bearer", Guard.AdminToken) } };
        using var answer = await http.PostAsJsonAsync(new Uri(Lab.ApiServer, path), body, Ct);
        var text = await answer.Content.ReadAsStringAsync(Ct);
        Assert.True(answer.IsSuccessStatusCode, text);
        return JsonNode.Parse(text)!;
    }
}
