using Hami.Lab.ApiServer;
using Hami.Lab.Cluster;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Tests.Lab;

/// <summary>The lab's registration of the webhook: whom it passes by.</summary>
public sealed class ApiServerWebhookOptOut : IAsyncLifetime
{
    private static readonly Dictionary<string, string> Ignored = new(StringComparer.Ordinal) { ["hami.io/webhook"] = "ignore" };
    private LabApiServer _server = null!;
    private Kubernetes _kubernetes = null!;

    // Nobody listens there: a pod that is shown to the webhook is refused, one that is not is untouched by it.
    public async ValueTask InitializeAsync()
    {
        _server = await LabApiServer.StartAsync(new(), TestContext.Current.CancellationToken);
        _kubernetes = new(new KubernetesClientConfiguration { Host = _server.Address.ToString(), AccessToken = "lab" });
        var authority = LabAuthority.In(Directory.CreateTempSubdirectory("hami-test-").FullName, TimeProvider.System);
        await _kubernetes.AdmissionregistrationV1.CreateMutatingWebhookConfigurationAsync(
            PodWebhook.Configuration("hami-webhook", new($"https://127.0.0.1:{Loopback.FreePort()}/webhook"), authority.Pem, failurePolicy: "Fail"));
    }

    public async ValueTask DisposeAsync()
    {
        _kubernetes.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    [Trait("Scoreboard", "A21")]
    public async Task A_pod_with_the_label_is_not_shown_to_the_webhook_and_any_other_is()
    {
        var untouched = await Create("default", Ignored);

        Assert.Equal("default-scheduler", untouched.Spec.SchedulerName);
        await Assert.ThrowsAsync<HttpOperationException>(() => Create("default", labels: null));
        await Assert.ThrowsAsync<HttpOperationException>(() => Create("default", new(StringComparer.Ordinal) { ["hami.io/webhook"] = "watch" }));
    }

    [Fact]
    [Trait("Scoreboard", "A21")]
    public async Task No_pod_of_a_namespace_with_the_label_is_shown_to_the_webhook()
    {
        await _kubernetes.CoreV1.CreateNamespaceAsync(new() { Metadata = new() { Name = "apart", Labels = Ignored } });

        Assert.Equal("default-scheduler", (await Create("apart", labels: null)).Spec.SchedulerName);
    }

    private Task<V1Pod> Create(string @namespace, Dictionary<string, string>? labels) => _kubernetes.CoreV1.CreateNamespacedPodAsync(
        new()
        {
            ApiVersion = "v1",
            Kind = "Pod",
            Metadata = new() { GenerateName = "pod-", Labels = labels },
            Spec = new() { Containers = [KubeletScene.Container("c", gpus: 1, "true")] },
        },
        @namespace);
}
