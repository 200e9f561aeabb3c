using Hami.Lab.ApiServer;
using Hami.Lab.Controllers;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hami.Tests.Lab;

/// <summary>A running API server with controllers, and what a test waits for in it.</summary>
internal sealed class ControllersGiven : IAsyncDisposable
{
    private readonly IKubernetes _own;
    private readonly LabControllersOptions _options;

    private ControllersGiven(ApiServerGiven lab, LabControllersOptions options, IKubernetes own) => (Lab, _options, _own) = (lab, options, own);

    public ApiServerGiven Lab { get; }

    public Kubernetes Client => Lab.Client;

    public LabControllers Controllers { get; private set; } = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task<ControllersGiven> Running(LabApiServerOptions? server = null, Func<LabControllersOptions, LabControllersOptions>? more = null)
    {
        var lab = await ApiServerGiven.Running(server);
        var own = lab.NewClient();
        var options = new LabControllersOptions { Kubernetes = own, Logging = NullLoggerFactory.Instance };
        var given = new ControllersGiven(lab, more?.Invoke(options) ?? options, own);
        await given.Start();
        return given;
    }

    public async Task Start() => Controllers = await LabControllers.StartAsync(_options, Cancellation);

    /// <summary>Ends the controllers and starts others, which know nothing of what the first ones did.</summary>
    public async Task Restart()
    {
        await Controllers.DisposeAsync();
        await Start();
    }

    public static V1Deployment Deployment(string name, int replicas = 1, Action<V1Deployment>? more = null)
    {
        var deployment = new V1Deployment
        {
            Metadata = new() { Name = name },
            Spec = new() { Replicas = replicas, Selector = new() { MatchLabels = Labels(name) }, Template = Template(name) },
        };
        more?.Invoke(deployment);
        return deployment;
    }

    public static V1ReplicaSet ReplicaSet(string name, int replicas) => new()
    {
        Metadata = new() { Name = name },
        Spec = new() { Replicas = replicas, Selector = new() { MatchLabels = Labels(name) }, Template = Template(name) },
    };

    public static V1Job Job(string name, Action<V1JobSpec>? more = null)
    {
        var job = new V1Job { Metadata = new() { Name = name }, Spec = new() { Template = Template(name) } };
        job.Spec.Template.Spec.RestartPolicy = "Never";
        more?.Invoke(job.Spec);
        return job;
    }

    public static Dictionary<string, string> Labels(string app) => new(StringComparer.Ordinal) { ["app"] = app };

    public Task<V1Deployment> Create(V1Deployment deployment) => Client.AppsV1.CreateNamespacedDeploymentAsync(deployment, "default", cancellationToken: Cancellation);

    public Task<V1ReplicaSet> Create(V1ReplicaSet set) => Client.AppsV1.CreateNamespacedReplicaSetAsync(set, "default", cancellationToken: Cancellation);

    public Task<V1Job> Create(V1Job job) => Client.BatchV1.CreateNamespacedJobAsync(job, "default", cancellationToken: Cancellation);

    public async Task<List<V1Pod>> Pods(string app) =>
        [.. (await Client.CoreV1.ListNamespacedPodAsync("default", labelSelector: $"app={app}", cancellationToken: Cancellation)).Items];

    public async Task<List<V1ReplicaSet>> Sets() => [.. (await Client.AppsV1.ListNamespacedReplicaSetAsync("default", cancellationToken: Cancellation)).Items];

    public Task<V1Deployment> Deployment(string name) => Client.AppsV1.ReadNamespacedDeploymentAsync(name, "default", cancellationToken: Cancellation);

    public Task<V1Job> Job(string name) => Client.BatchV1.ReadNamespacedJobAsync(name, "default", cancellationToken: Cancellation);

    public async Task<List<string>> Told(string about) =>
        [.. (await Client.CoreV1.ListNamespacedEventAsync("default", cancellationToken: Cancellation)).Items
            .Where(e => e.InvolvedObject.Name == about).OrderBy(e => e.Metadata.ResourceVersion.Length).ThenBy(e => e.Metadata.ResourceVersion, StringComparer.Ordinal)
            .Select(e => $"{e.Type} {e.Reason}: {e.Message}")];

    /// <summary>Says what a kubelet would of a pod.</summary>
    public async Task Becomes(V1Pod pod, string phase, bool ready = false)
    {
        var condition = ready ? ""","conditions":[{"type":"Ready","status":"True","lastTransitionTime":"2026-01-01T00:00:00Z"}]""" : "";
        var (code, answer) = await Lab.Send("PATCH", $"/api/v1/namespaces/default/pods/{pod.Name()}/status",
            "{\"status\":{\"phase\":\"" + phase + "\"" + condition + "}}", "application/strategic-merge-patch+json");
        Assert.True(code == 200, answer?.ToJsonString());
    }

    /// <summary>Makes every pod of an app that is not yet so Running and Ready.</summary>
    public async Task AllBecomeReady(string app)
    {
        foreach (var pod in (await Pods(app)).Where(p => p.Status.Phase is "Pending" && p.Metadata.DeletionTimestamp is null))
            await Becomes(pod, "Running", ready: true);
    }

    public static async Task<T> Eventually<T>(Func<Task<T>> ask, Func<T, bool> isSo)
    {
        var last = await ask();
        for (var i = 0; !isSo(last); i++)
        {
            Assert.True(i < 1500, $"It was waited for in vain; at last it was {KubernetesJson.Serialize(last)}");
            await Task.Delay(20, Cancellation);
            last = await ask();
        }
        return last;
    }

    /// <summary>Gives controllers time to do what they should not, by letting them do something else first.</summary>
    public async Task Settle(string marker)
    {
        await Create(ReplicaSet(marker, 1));
        await Eventually(() => Pods(marker), p => p.Count == 1);
        await Eventually(async () => (await Sets()).Single(s => s.Name() == marker).Status, s => s.Replicas == 1);
    }

    public async ValueTask DisposeAsync()
    {
        await Controllers.DisposeAsync();
        _own.Dispose();
        await Lab.DisposeAsync();
    }

    private static V1PodTemplateSpec Template(string app) => new()
    {
        Metadata = new() { Labels = Labels(app) },
        Spec = new() { Containers = [new() { Name = "main", Image = "busybox:1.36" }] },
    };
}
