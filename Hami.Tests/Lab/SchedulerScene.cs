using System.Text.Json;
using System.Text.Json.Nodes;
using Hami.Lab.ApiServer;
using Hami.Lab.Scheduler;
using k8s;
using k8s.Models;

namespace Hami.Tests.Lab;

/// <summary>A stand-in scheduler between an API server and an extender that a test directs.</summary>
public abstract class SchedulerScene : IAsyncLifetime
{
    private protected const string Refusal = "8/8 CardInsufficientMemory";
    private protected LabApiServer _server = null!;
    private protected SchedulerTestExtender _extender = null!;
    private protected Kubernetes _kubernetes = null!;
    private protected LabScheduler? _scheduler;

    public async ValueTask InitializeAsync()
    {
        _server = await LabApiServer.StartAsync(new(), TestContext.Current.CancellationToken);
        _kubernetes = new(new KubernetesClientConfiguration { Host = _server.Address.ToString(), AccessToken = "lab" });
        _extender = await SchedulerTestExtender.Start();
        _extender.Bind = async body =>
        {
            await Bind(body["PodName"]!.GetValue<string>(), body["Node"]!.GetValue<string>());
            return """{"Error":""}""";
        };
    }

    public async ValueTask DisposeAsync()
    {
        if (_scheduler is not null)
            await _scheduler.DisposeAsync();
        await _extender.DisposeAsync();
        _kubernetes.Dispose();
        await _server.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private protected static Task<string> RefuseAll(JsonObject body)
    {
        var failed = new JsonObject(body["NodeNames"]!.AsArray().Select(n => KeyValuePair.Create(n!.GetValue<string>(), (JsonNode?)Refusal)));
        return Task.FromResult($$"""{"NodeNames":[],"FailedNodes":{{failed.ToJsonString()}},"Error":""}""");
    }

    private protected static Task<string> FitAll(JsonObject body) =>
        Task.FromResult($$"""{"Nodes":null,"NodeNames":{{body["NodeNames"]!.ToJsonString()}},"FailedNodes":null,"Error":""}""");

    private protected static V1Patch Merge(string patch) => new(patch, V1Patch.PatchType.MergePatch);

    private protected ExtenderOptions Extender(TimeSpan? timeout) => new() { Url = _extender.Address, HttpTimeout = timeout ?? TimeSpan.FromSeconds(30) };

    private protected async Task Start(TimeSpan? timeout = null, Func<ExtenderOptions, ExtenderOptions>? change = null, int percentage = 100) => _scheduler = await LabScheduler.StartAsync(
        new()
        {
            Kubernetes = _kubernetes,
            Extenders = [change?.Invoke(Extender(timeout)) ?? Extender(timeout)],
            PercentageOfNodesToScore = percentage,
        },
        TestContext.Current.CancellationToken);

    private protected async Task Nodes(params string[] names)
    {
        foreach (var name in names)
        {
            await _kubernetes.CoreV1.CreateNodeAsync(new() { ApiVersion = "v1", Kind = "Node", Metadata = new() { Name = name } });
            await Ready(name, "True");
        }
    }

    private protected Task<V1Node> Ready(string node, string status)
    {
        var heartbeat = TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'");
        return _kubernetes.CoreV1.PatchNodeStatusAsync(
            Merge($$$"""{"status":{"allocatable":{"cpu":"4","memory":"8Gi","pods":"110"},"conditions":[{"type":"Ready","status":"{{{status}}}","lastHeartbeatTime":"{{{heartbeat}}}"}]}}"""), node);
    }

    private protected Task<V1Node> Label(string node, string key, string value) =>
        _kubernetes.CoreV1.PatchNodeAsync(Merge(JsonSerializer.Serialize(new { metadata = new { labels = new Dictionary<string, string>(StringComparer.Ordinal) { [key] = value } } })), node);

    private protected Task<V1Pod> Create(
        string name, int gpus = 1, string? scheduler = "hami-scheduler", (string Key, string Value)? selector = null, string? cpu = null, string? priorityClass = null) =>
        _kubernetes.CoreV1.CreateNamespacedPodAsync(
            new()
            {
                ApiVersion = "v1",
                Kind = "Pod",
                Metadata = new() { Name = name },
                Spec = new()
                {
                    SchedulerName = scheduler,
                    NodeSelector = selector is { } s ? new Dictionary<string, string>(StringComparer.Ordinal) { [s.Key] = s.Value } : null,
                    PriorityClassName = priorityClass,
                    Containers = [Container(gpus, cpu)],
                },
            },
            "default");

    private protected static V1Container Container(int gpus, string? cpu)
    {
        var container = KubeletScene.Container("c", gpus, "true");
        if (cpu is not null)
        {
            container.Resources ??= new();
            container.Resources.Requests ??= new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal);
            container.Resources.Requests["cpu"] = new(cpu);
        }
        return container;
    }

    private protected async Task Bind(string pod, string node) => await _kubernetes.CoreV1.CreateNamespacedPodBindingWithHttpMessagesAsync(
        new() { ApiVersion = "v1", Kind = "Binding", Metadata = new() { Name = pod }, Target = new() { ApiVersion = "v1", Kind = "Node", Name = node } },
        pod,
        "default");

    private protected async Task<IReadOnlyList<string>> Events(string pod) =>
        [.. (await _kubernetes.EventsV1.ListNamespacedEventAsync("default")).Items.Where(e => e.Regarding.Name == pod).Select(e => $"{e.Reason}: {e.Note}")];

    // Refused twice: the second time because of the condition that the first try wrote; each version of the pod has its own event.
    private protected Task UntilParked(string pod) =>
        Eventually(async () => (await Events(pod)).Count(e => e.StartsWith("FailedScheduling", StringComparison.Ordinal)) == 2);

    private protected async Task<V1Pod> Until(string name, Func<V1Pod, bool> holds)
    {
        V1Pod? pod = null;
        await Eventually(async () => holds(pod = await _kubernetes.CoreV1.ReadNamespacedPodAsync(name, "default")));
        return pod!;
    }

    private protected static Task Eventually(Func<Task<bool>> holds) => KubeletScene.Eventually(holds);
}
