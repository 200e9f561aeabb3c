using System.Text.Json.Nodes;
using Hami.Lab.Scheduler;
using k8s;
using k8s.Models;

namespace Hami.Lab.Cluster;

/// <summary>A cluster that exists already, with our nodes in it: all we make there is labelled, and nobody else's pods are touched.</summary>
internal sealed class ExistingGround : LabGround
{
    private readonly ExistingCluster _cluster;
    private readonly Footprint _footprint;
    private readonly ILoggerFactory _logging;
    private readonly TimeProvider _time;

    private ExistingGround(ExistingCluster cluster, IKubernetes kubernetes, Footprint footprint, ILoggerFactory logging, TimeProvider time)
    {
        (_cluster, Kubernetes, _footprint, _logging, _time) = (cluster, kubernetes, footprint, logging, time);
        Labels = new Dictionary<string, string>(StringComparer.Ordinal) { [Footprint.Label] = footprint.Name };
        Taints = [new() { Key = Footprint.Label, Value = footprint.Name, Effect = "NoSchedule" }];
    }

    public override string Kubeconfig => _cluster.Kubeconfig;

    public override IKubernetes Kubernetes { get; }

    public override string Namespace => _footprint.Name;

    // Our own scheduler goes by the lab's name: a HAMi that is installed there must not take our pods, nor we its pods.
    public override string SchedulerName => _cluster.ExternalScheduler ? "hami-scheduler" : _footprint.Name;

    public override string Host => _cluster.Host;

    public override string Listens => _cluster.Host is Loopback.Address or "localhost" ? Loopback.Address : "0.0.0.0";

    public override string AuthorityDirectory => _cluster.AuthorityDirectory;

    public override IReadOnlyDictionary<string, string> Labels { get; }

    public override IReadOnlyList<V1Taint> Taints { get; }

    public override string? OnlyNamespace => _footprint.Name;

    public static async Task<ExistingGround> StartAsync(
        ExistingCluster cluster, LabPaths paths, ILoggerFactory logging, TimeProvider time, CancellationToken ct)
    {
        var kubernetes = await ClientOf(cluster.Kubeconfig, ct);
        var footprint = Footprint.Of(paths);
        await footprint.MakeNamespaceAsync(kubernetes, ct);
        return new(cluster, kubernetes, footprint, logging, time);
    }

    /// <summary>A client that has been answered; throws a sentence that names the file or the server when there is none.</summary>
    public static async Task<IKubernetes> ClientOf(string kubeconfig, CancellationToken ct)
    {
        KubernetesClientConfiguration configuration;
        try
        {
            configuration = KubernetesClientConfiguration.BuildConfigFromConfigFile(kubeconfig);
        }
        catch (Exception e) when (e is IOException or k8s.Exceptions.KubeConfigException or YamlDotNet.Core.YamlException)
        {
            throw new InvalidOperationException($"The kubeconfig {kubeconfig} cannot be used: {e.Message}", e);
        }

        var kubernetes = new Kubernetes(configuration);
        try
        {
            await kubernetes.Version.GetCodeAsync(ct);
            return kubernetes;
        }
        catch (Exception e) when (e is HttpRequestException or k8s.Autorest.HttpOperationException)
        {
            kubernetes.Dispose();
            throw new InvalidOperationException($"The API server {configuration.Host} of {kubeconfig} does not answer: {e.GetBaseException().Message}", e);
        }
    }

    public override LabNode Named(LabNode node) => node with { Name = $"{_footprint.Name}-{node.Name}" };

    public override void Prepare(JsonObject pod)
    {
        var metadata = (JsonObject)(pod["metadata"] ??= new JsonObject());
        var spec = (JsonObject)(pod["spec"] ??= new JsonObject());
        ((JsonObject)(metadata["labels"] ??= new JsonObject()))[Footprint.Label] = _footprint.Name;
        ((JsonObject)(spec["nodeSelector"] ??= new JsonObject()))[Footprint.Label] = _footprint.Name;
        ((JsonArray)(spec["tolerations"] ??= new JsonArray())).Add(
            new JsonObject { ["key"] = Footprint.Label, ["operator"] = "Equal", ["value"] = _footprint.Name, ["effect"] = "NoSchedule" });
    }

    public override async Task<IAsyncDisposable?> StartSchedulerAsync(ExtenderOptions extender, CancellationToken ct) =>
        _cluster.ExternalScheduler
            ? null
            : await LabScheduler.StartAsync(
                new LabSchedulerOptions
                {
                    Kubernetes = Kubernetes,
                    Extenders = [extender],
                    // default-scheduler is the cluster's own.
                    SchedulerNames = [SchedulerName],
                    PercentageOfNodesToScore = 100,
                    Time = _time,
                    Logging = _logging,
                },
                ct);

    public override ValueTask DisposeAsync()
    {
        Kubernetes.Dispose();
        return ValueTask.CompletedTask;
    }

    // Fail is safe: the webhook sees the pods of one namespace, and that is ours.
    protected override V1MutatingWebhookConfiguration Webhook(Uri url, string authorityPem)
    {
        var configuration = PodWebhook.Configuration(_footprint.Name, url, authorityPem, failurePolicy: "Fail");
        configuration.Metadata.Labels = new Dictionary<string, string>(StringComparer.Ordinal) { [Footprint.Label] = _footprint.Name };
        foreach (var webhook in configuration.Webhooks)
            webhook.NamespaceSelector.MatchLabels = new Dictionary<string, string>(StringComparer.Ordinal) { [Footprint.Label] = _footprint.Name };
        return configuration;
    }
}
