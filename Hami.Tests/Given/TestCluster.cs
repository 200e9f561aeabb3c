using System.Text.Json.Nodes;
using Hami.Lab.Cluster;
using k8s;
using k8s.Models;

namespace Hami.Tests.Given;

/// <summary>A whole lab for one test or one class, in a folder that is gone afterwards.</summary>
/// <remarks>
/// With <c>HAMI_TEST_KUBECONFIG</c> it stands on that cluster instead of the stand-in API server; with <c>HAMI_TEST_SCHEDULER=external</c> also,
/// that cluster's own kube-scheduler places the pods, started with what <c>./hami scheduler-config</c> prints.
/// </remarks>
public sealed class TestCluster : IAsyncDisposable
{
    // An external kube-scheduler asks one port: one lab at a time can answer there.
    private static readonly SemaphoreSlim ExtenderPort = new(1);

    private readonly LabPaths _paths;
    private readonly ExistingCluster? _existing;

    private TestCluster(LabPaths paths, ExistingCluster? existing, LabCluster lab)
    {
        _paths = paths;
        _existing = existing;
        Lab = lab;
    }

    public LabCluster Lab { get; private set; }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <param name="restartsApi">Whether the control plane comes back by itself when a test kills it.</param>
    /// <param name="nodes">Its nodes; null for the lab's three.</param>
    public static async Task<TestCluster> StartAsync(bool restartsApi = true, IReadOnlyList<LabNode>? nodes = null)
    {
        var existing = Existing();
        if (existing is { ExternalScheduler: true })
            await ExtenderPort.WaitAsync(Ct);
        var folder = Directory.CreateTempSubdirectory("hami-").FullName;
        File.SetUnixFileMode(folder, File.GetUnixFileMode(folder) | UnixFileMode.OtherExecute); // root's PostgreSQL runs as another user
        var paths = new LabPaths(folder);
        try
        {
            return new TestCluster(paths, existing, await LabCluster.StartAsync(Options(paths, existing, restartsApi, nodes), Ct));
        }
        catch
        {
            await LeaveAsync(paths, existing);
            throw;
        }
    }

    /// <summary>Stops everything of ours and starts it again on the same data, as <c>hami down</c> and <c>hami up</c> would.</summary>
    public async Task RestartAsync(bool restartsApi = true)
    {
        var nodes = Lab.Nodes;
        await Lab.DisposeAsync();
        Lab = await LabCluster.StartAsync(Options(_paths, _existing, restartsApi, [.. nodes.Select(node => node with { Name = node.Folder })]), Ct);
    }

    /// <summary>Creates a pod that can only land on this lab's nodes.</summary>
    public Task<V1Pod> CreatePodAsync(V1Pod pod)
    {
        var json = (JsonObject)JsonNode.Parse(KubernetesJson.Serialize(pod))!;
        Lab.Prepare(json);
        return Lab.Kubernetes.CoreV1.CreateNamespacedPodAsync(KubernetesJson.Deserialize<V1Pod>(json.ToJsonString()), Lab.Namespace, cancellationToken: Ct);
    }

    public async ValueTask DisposeAsync()
    {
        await Lab.DisposeAsync();
        await LeaveAsync(_paths, _existing);
        // What failed is looked into; what went well leaves nothing.
        if (TestContext.Current.TestState?.Result is TestResult.Failed)
            TestContext.Current.SendDiagnosticMessage("The lab's logs are kept in {0}", _paths.PurgeAllButLogs());
        else
            _paths.Purge();
    }

    private static ExistingCluster? Existing() => Environment.GetEnvironmentVariable("HAMI_TEST_KUBECONFIG") is { Length: > 0 } kubeconfig
        ? new(
            kubeconfig,
            Environment.GetEnvironmentVariable("HAMI_TEST_SCHEDULER") is "external",
            Path.Combine(BuiltPrograms.Root, ".hami"),
            Loopback.Address,
            ExistingCluster.UsualExtenderPort)
        : null;

    private static async Task LeaveAsync(LabPaths paths, ExistingCluster? existing)
    {
        if (existing is null)
            return;
        try
        {
            using var kubernetes = await ExistingGround.ClientOf(existing.Kubeconfig, CancellationToken.None);
            await Footprint.Of(paths).RemoveAsync(kubernetes, CancellationToken.None);
        }
        finally
        {
            if (existing.ExternalScheduler)
                ExtenderPort.Release();
        }
    }

    private static LabClusterOptions Options(LabPaths paths, ExistingCluster? existing, bool restartsApi, IReadOnlyList<LabNode>? nodes) => new()
    {
        Directory = paths.Root,
        Existing = existing,
        RestartsApi = restartsApi,
        Nodes = nodes ?? LabNode.Three,
    };
}
