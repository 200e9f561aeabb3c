using Hami.Lab.Cluster;

namespace Hami.Tests.Given;

/// <summary>A whole lab for one test or one class, in a folder that is gone afterwards.</summary>
public sealed class TestCluster : IAsyncDisposable
{
    private readonly LabPaths _paths;

    private TestCluster(LabPaths paths, LabCluster lab)
    {
        _paths = paths;
        Lab = lab;
    }

    public LabCluster Lab { get; private set; }

    /// <param name="restartsApi">Whether the control plane comes back by itself when a test kills it.</param>
    /// <param name="nodes">Its nodes; null for the lab's three.</param>
    public static async Task<TestCluster> StartAsync(bool restartsApi = true, IReadOnlyList<LabNode>? nodes = null)
    {
        var folder = Directory.CreateTempSubdirectory("hami-").FullName;
        File.SetUnixFileMode(folder, File.GetUnixFileMode(folder) | UnixFileMode.OtherExecute); // root's PostgreSQL runs as another user
        var paths = new LabPaths(folder);
        return new TestCluster(paths, await LabCluster.StartAsync(Options(paths, restartsApi, nodes), TestContext.Current.CancellationToken));
    }

    /// <summary>Stops everything and starts it again on the same data, as <c>hami down</c> and <c>hami up</c> would.</summary>
    public async Task RestartAsync(bool restartsApi = true)
    {
        var nodes = Lab.Nodes;
        await Lab.DisposeAsync();
        Lab = await LabCluster.StartAsync(Options(_paths, restartsApi, nodes), TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await Lab.DisposeAsync();
        // What failed is looked into; what went well leaves nothing.
        if (TestContext.Current.TestState?.Result is TestResult.Failed)
            TestContext.Current.SendDiagnosticMessage("The lab's logs are kept in {0}", _paths.PurgeAllButLogs());
        else
            _paths.Purge();
    }

    private static LabClusterOptions Options(LabPaths paths, bool restartsApi, IReadOnlyList<LabNode>? nodes) => new()
    {
        Directory = paths.Root,
        RestartsApi = restartsApi,
        Nodes = nodes ?? LabNode.Three,
    };
}
