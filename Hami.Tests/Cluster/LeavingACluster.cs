using Hami.Lab.ApiServer;
using Hami.Lab.Cluster;
using k8s;
using k8s.Models;

namespace Hami.Tests.Cluster;

public sealed class LeavingACluster : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hami-lab-");
    private LabApiServer _server = null!;
    private Kubernetes _kubernetes = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await LabApiServer.StartAsync(new(), Ct);
        _kubernetes = new(new KubernetesClientConfiguration { Host = _server.Address.ToString(), AccessToken = "lab" });
    }

    public async ValueTask DisposeAsync()
    {
        _kubernetes.Dispose();
        await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Everything_of_a_lab_goes_and_nothing_else()
    {
        var lab = Footprint.Of(new LabPaths(_folder.FullName));
        await lab.MakeNamespaceAsync(_kubernetes, Ct);
        await lab.MakeNamespaceAsync(_kubernetes, Ct);
        await MakeAsync(lab.Name, $"{lab.Name}-n1", "kept-node");
        await _kubernetes.CoreV1.CreateNamespacedPodAsync(
            new() { Metadata = new() { Name = "p" }, Spec = new() { NodeName = $"{lab.Name}-n1", Containers = [new() { Name = "c", Image = "i" }] } }, lab.Name, cancellationToken: Ct);
        await _kubernetes.CoreV1.CreateNamespaceAsync(new() { Metadata = new() { Name = "kept", Labels = Labels(lab.Name) } }, cancellationToken: Ct);
        await MakeAsync("theirs", "their-node");

        var removed = await lab.RemoveAsync(_kubernetes, Ct);

        Assert.Equal([$"namespace/{lab.Name}", $"node/{lab.Name}-n1 with its lease and events"], removed);
        var nodes = (await _kubernetes.CoreV1.ListNodeAsync(cancellationToken: Ct)).Items.Select(node => node.Name());
        Assert.Equal(["kept-node", "their-node"], nodes.Order(StringComparer.Ordinal));
        var namespaces = (await _kubernetes.CoreV1.ListNamespaceAsync(cancellationToken: Ct)).Items.Select(made => made.Name()).ToList();
        Assert.Contains("kept", namespaces);
        Assert.DoesNotContain(lab.Name, namespaces);
        // Neither does somebody's label of that name make a lab of its own.
        Assert.Empty(await Footprint.RemoveAllAsync(_kubernetes, Ct));
    }

    [Fact]
    public async Task A_kubeconfig_that_leads_nowhere_is_a_sentence()
    {
        var missing = await Assert.ThrowsAsync<InvalidOperationException>(() => ExistingGround.ClientOf("/nonexistent/kubeconfig", Ct));
        Assert.Contains("/nonexistent/kubeconfig", missing.Message, StringComparison.Ordinal);
        var file = Path.Combine(_folder.FullName, "kubeconfig");
        await File.WriteAllTextAsync(file, _server.Kubeconfig.Replace($"{_server.Address.Port}", $"{Loopback.FreePort()}", StringComparison.Ordinal), Ct);
        var silent = await Assert.ThrowsAsync<InvalidOperationException>(() => ExistingGround.ClientOf(file, Ct));
        Assert.Contains("does not answer", silent.Message, StringComparison.Ordinal);
    }

    private async Task MakeAsync(string lab, params string[] nodes)
    {
        foreach (var name in nodes)
            await _kubernetes.CoreV1.CreateNodeAsync(new() { Metadata = new() { Name = name, Labels = Labels(lab) } }, cancellationToken: Ct);
    }

    private static Dictionary<string, string> Labels(string lab) => new(StringComparer.Ordinal) { [Footprint.Label] = lab };
}
