using System.Net;
using System.Net.NetworkInformation;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Hami.Lab.Cluster;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Plumbing;

/// <summary>HAMi's chart starts its scheduler with one listener for everything, and a label that nodes have to have.</summary>
public sealed class StartingAsHamisChartDoes(StartingAsHamisChartDoes.DropIn given) : IClassFixture<StartingAsHamisChartDoes.DropIn>
{
    private ControlPlaneScene Scene => given.Scene;

    [Fact]
    [Trait("Scoreboard", "H01")]
    [Trait("Scoreboard", "H02")]
    [Trait("Scoreboard", "H03")]
    public async Task One_listener_serves_the_webhook_and_the_extender_and_the_log_says_what_that_means()
    {
        await LabelAsync("on");
        var pod = await Scene.CreatePodAsync("p");

        Assert.True((await Scene.PostAsync("webhook", Bodies.Review("admission.k8s.io/v1beta1")))["response"]!["allowed"]!.GetValue<bool>());
        await ControlPlaneScene.UntilAsync(async () => (await Scene.FilterAsync("p", "n1"))["NodeNames"] is not null, () => Scene.Log);
        Assert.Equal("", (await Scene.BindAsync(pod, "n1"))["Error"]!.GetValue<string>());
        Assert.Contains("the extender answers callers on this machine (or in this pod) alone", Scene.Log, StringComparison.Ordinal);
        await BeyondLoopbackNobodyBindsAsync();
        Assert.Contains("without effect here: --leader-elect --debug --v", Scene.Log, StringComparison.Ordinal);
    }

    // Where this machine has an address that others could reach.
    private async Task BeyondLoopbackNobodyBindsAsync()
    {
        var addresses = NetworkInterface.GetAllNetworkInterfaces().Where(i => i.OperationalStatus is OperationalStatus.Up)
            .SelectMany(i => i.GetIPProperties().UnicastAddresses).Select(a => a.Address);
        foreach (var address in addresses.Where(a => a.AddressFamily is AddressFamily.InterNetwork && !IPAddress.IsLoopback(a)))
        {
            foreach (var (path, status) in new[] { ("filter", 404), ("bind", 404), ("preempt", 404), ("webhook", 200) })
                Assert.Equal((path, status), (path, (await Scene.PostRawAsync(new Uri($"https://{address}:{Scene.Address.Port}/{path}"), "{}")).Status));
        }
    }

    [Fact]
    [Trait("Scoreboard", "B10")]
    public async Task A_node_that_loses_the_label_gets_no_pods_any_more()
    {
        await LabelAsync("on");
        await Scene.CreatePodAsync("q");
        await ControlPlaneScene.UntilAsync(async () => (await Scene.FilterAsync("q", "n1"))["NodeNames"] is not null, () => Scene.Log);

        await LabelAsync("off");

        await ControlPlaneScene.UntilAsync(
            async () => (await Scene.FilterAsync("q", "n1"))["FailedNodes"]?["n1"]?.GetValue<string>() == "node unregistered", () => Scene.Log);
    }

    [Fact]
    [Trait("Scoreboard", "H07")]
    public async Task A_new_certificate_is_served_without_a_restart()
    {
        var next = TlsFilesOnDisk.Issue("CN=renewed", given.Files.ServerAuthority, server: true);
        given.Files.Swap(next, given.Files.ClientAuthority);

        await ControlPlaneScene.UntilAsync(async () => await ServedAsync() == next.Thumbprint, () => Scene.Log);
    }

    private async Task<string> ServedAsync()
    {
        var served = "";
        using var handler = new SocketsHttpHandler();
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, errors) =>
        {
            served = ((X509Certificate2)certificate!).Thumbprint;
            return !errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable);
        };
        using var http = new HttpClient(handler);
        Assert.Equal("ok", await http.GetStringAsync(new Uri(Scene.Address, "healthz")));
        return served;
    }

    private Task<V1Node> LabelAsync(string value) => Scene.Kubernetes.CoreV1.PatchNodeAsync(
        new V1Patch(new { metadata = new { labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["gpu"] = value } } }, V1Patch.PatchType.MergePatch), "n1");

    public sealed class DropIn : IAsyncLifetime
    {
        internal TlsFilesOnDisk Files { get; } = new();

        internal ControlPlaneScene Scene { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Scene = await ControlPlaneScene.StartAsync(nodes: 1, flags:
        [
            "--http_bind", $"0.0.0.0:{Loopback.FreePort()}", "--cert_file", Files.Certificate, "--key_file", Files.Key,
            "--node-label-selector=gpu=on", "--leader-elect=true", "--debug", "-v=4",
        ]);

        public async ValueTask DisposeAsync()
        {
            await Scene.DisposeAsync();
            Files.Dispose();
        }
    }
}
