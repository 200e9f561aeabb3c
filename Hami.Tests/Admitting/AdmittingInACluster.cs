using Hami.Domain.Protocol;
using Hami.Lab.Cluster;
using Hami.Tests.Given;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Tests.Admitting;

/// <summary>Pods created through an API server that asks the running control plane over HTTPS.</summary>
public sealed class AdmittingInACluster(AdmittingInACluster.Registered registered) : IClassFixture<AdmittingInACluster.Registered>
{
    private ControlPlaneScene Scene => registered.Scene;

    [Fact]
    [Trait("Scoreboard", "A06")]
    [Trait("Scoreboard", "A15")]
    public async Task A_pod_that_asks_a_card_is_stored_with_our_scheduler_and_the_whole_card()
    {
        var pod = await Scene.CreatePodAsync("whole", also: Plain);

        Assert.Equal("hami-scheduler", pod.Spec.SchedulerName);
        Assert.Equal("100", pod.Spec.Containers[0].Resources.Limits["nvidia.com/gpucores"].ToString());
        Assert.Equal("100", pod.Spec.Containers[0].Resources.Requests["nvidia.com/gpucores"].ToString());
    }

    [Fact]
    [Trait("Scoreboard", "A15")]
    public async Task A_pod_that_asks_none_is_stored_as_it_is()
    {
        var pod = await Scene.CreatePodAsync("none", also: p =>
        {
            Plain(p);
            p.Spec.Containers[0].Resources = null;
        });

        Assert.Equal("default-scheduler", pod.Spec.SchedulerName);
        Assert.Null(pod.Spec.Containers[0].Env);
    }

    [Theory]
    [Trait("Scoreboard", "A21")]
    [InlineData("ignored-pod", "default", true)]
    [InlineData("ignored-namespace", Registered.Ignored, false)]
    public async Task What_carries_the_label_that_opts_out_is_stored_as_it_is(string name, string @namespace, bool labelled)
    {
        var pod = new V1Pod { Metadata = new() { Name = name }, Spec = new() { Containers = [new() { Name = "main", Image = "x", Resources = new() { Limits = OneCard() } }] } };
        if (labelled)
            pod.Metadata.Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["hami.io/webhook"] = "ignore" };

        var stored = await Scene.Kubernetes.CoreV1.CreateNamespacedPodAsync(pod, @namespace);

        Assert.Equal("default-scheduler", stored.Spec.SchedulerName);
        Assert.False(stored.Spec.Containers[0].Resources.Limits.ContainsKey("nvidia.com/gpucores"));
    }

    [Fact]
    public async Task A_result_that_a_pod_brings_along_never_gets_into_the_cluster()
    {
        var pod = await Scene.CreatePodAsync("forged", also: p =>
        {
            p.Metadata.Annotations = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                [HamiKeys.DevicesAllocated] = "GPU-n1-0,NVIDIA,9000,0:;", [HamiKeys.PodNode] = "n1", [HamiKeys.NodePolicy] = "spread",
            };
            p.Metadata.Labels = new Dictionary<string, string>(StringComparer.Ordinal) { [HamiKeys.PodNode] = "n1" };
        });

        Assert.Equal([HamiKeys.NodePolicy], pod.Annotations().Keys);
        Assert.Null(pod.GetLabel(HamiKeys.PodNode));
    }

    [Fact]
    [Trait("Scoreboard", "A08")]
    public async Task A_denial_is_what_the_author_reads()
    {
        var refused = await Assert.ThrowsAsync<HttpOperationException>(() => Scene.CreatePodAsync(
            "refused", also: p => p.Spec.Containers[0].Resources.Limits["nvidia.com/gpumem-percentage"] = new("101")));

        Assert.Contains(
            "denied the request: invalid nvidia.com/gpumem-percentage value 101 in container main: must be an integer between 0 and 100", refused.Response.Content, StringComparison.Ordinal);
    }

    private static void Plain(V1Pod pod)
    {
        pod.Spec.SchedulerName = null;
        pod.Spec.Containers[0].Resources.Limits = OneCard();
    }

    private static Dictionary<string, ResourceQuantity> OneCard() => new(StringComparer.Ordinal) { ["nvidia.com/gpu"] = new("1") };

    /// <summary>A control plane whose webhook the API server knows.</summary>
    public sealed class Registered : IAsyncLifetime
    {
        internal const string Ignored = "ignored";

        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hami-tls-");

        internal ControlPlaneScene Scene { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            var certificates = LabAuthority.In(_folder.FullName, TimeProvider.System).Issue(_folder.FullName, Loopback.Address, TimeProvider.System);
            var port = Loopback.FreePort();
            Scene = await ControlPlaneScene.StartAsync(
                nodes: 1, flags: ["--https", $"127.0.0.1:{port}", "--cert-file", certificates.CertificateFile, "--key-file", certificates.KeyFile]);
            var labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["hami.io/webhook"] = "ignore" };
            await Scene.Kubernetes.CoreV1.CreateNamespaceAsync(new() { Metadata = new() { Name = Ignored, Labels = labels } });
            await Scene.Kubernetes.AdmissionregistrationV1.CreateMutatingWebhookConfigurationAsync(
                PodWebhook.Configuration("hami", new($"https://127.0.0.1:{port}/webhook"), certificates.AuthorityPem, "Fail"));
        }

        public async ValueTask DisposeAsync()
        {
            await Scene.DisposeAsync();
            _folder.Delete(recursive: true);
        }
    }
}
