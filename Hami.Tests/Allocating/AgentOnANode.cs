using Hami.NodeAgent;
using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Cluster;
using Hami.NodeAgent.Registering;
using Hami.Tests.Given;
using k8s.Models;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Hami.Tests.Allocating;

/// <summary>The whole agent in this process, on real sockets in a short directory, with two cards.</summary>
internal sealed class AgentOnANode : IAsyncDisposable
{
    public const string BothHealthy = """
        devices:
          - { uuid: GPU-a, model: NVIDIA A100, memoryMiB: 40960 }
          - { uuid: GPU-b, model: NVIDIA A100, memoryMiB: 40960 }
        """;

    // Unix socket paths end at 107 bytes, and a test runner's own directory can be deep.
    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("hami");
    private IHost? host;
    private ApiServerClient? another;
    private TrustedKeys keys = TrustedKeys.None;

    public HandingOptions Handing { get; set; } = new() { LimitsByFile = true };

    public TinyApiServer Api { get; private set; } = null!;

    public TinyKubelet Kubelet { get; private set; } = null!;

    public string Dir => root.FullName;

    public string DeviceFilePath => Path.Combine(Dir, "devices.yaml");

    public string Limits(string folder) => File.ReadAllText(Path.Combine(Containers, folder, "limits"));

    public string Containers => Path.Combine(Dir, "host", "vgpu", "containers");

    /// <param name="api">Another API server than the tiny one.</param>
    /// <param name="keys">Whose allocations count; everybody's when null.</param>
    public static async Task<AgentOnANode> Start(bool kubelet = true, bool podResources = true, ApiServerClient? api = null, TrustedKeys? keys = null)
    {
        var node = new AgentOnANode { Api = await TinyApiServer.Start(), another = api, keys = keys ?? TrustedKeys.None };
        await File.WriteAllTextAsync(node.DeviceFilePath, BothHealthy);
        Directory.CreateDirectory(Path.Combine(node.Dir, "host", "vgpu"));
        await File.WriteAllTextAsync(Path.Combine(node.Dir, "host", "vgpu", "libvgpu.so"), "the library");
        if (kubelet)
            await node.StartKubelet(podResources);
        await node.StartAgent();
        if (kubelet)
            await Eventually(() => node.Kubelet.Health.Count == 20);
        return node;
    }

    public async Task StartAgent()
    {
        host = await StartCopy();
        if (!Api.Away)
            await Eventually(() => host.Services.GetRequiredService<PodsOnNode>().Synced);
    }

    /// <summary>Another agent on the same node, as there is for a while when a new version is rolled out.</summary>
    public async Task<IHost> StartCopy()
    {
        var options = new AgentOptions
        {
            NodeName = "node-1",
            DeviceFile = DeviceFilePath,
            KubeletDir = Dir,
            HookPath = Path.Combine(Dir, "host"),
            Handing = Handing,
            Keys = keys,
            AcceptUnsigned = keys.ById.IsEmpty,
        };
        Assert.Null(options.Fault());
        var copy = AgentHost.Build(options, DeviceFile.Read(DeviceFilePath), another ?? Api.Client.ForAgent(), logging => logging.AddProvider(new OutputLogs()));
        await copy.StartAsync();
        return copy;
    }

    public async Task StopAgent()
    {
        await End();
        // What follows must not be mistaken for what was.
        if (Kubelet is not null)
            await Eventually(() => Kubelet.Health.Count == 0);
    }

    public async Task StartKubelet(bool podResources = true) => Kubelet = await TinyKubelet.Start(Dir, podResources, Kubelet);

    /// <summary>Binds a pod to the node, as the scheduler's Binding does.</summary>
    public V1Pod Bind(V1Pod pod)
    {
        Api.Put(pod);
        return pod;
    }

    public static async Task Eventually(Func<bool> holds)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!holds())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(60), "This did not come true in time.");
            await Task.Delay(10);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (host is not null)
            await End();
        if (Kubelet is not null)
            await Kubelet.DisposeAsync();
        await Api.DisposeAsync();
        root.Delete(recursive: true);
    }

    private async Task End()
    {
        await host!.StopAsync();
        host.Dispose();
        host = null;
    }

    private sealed class OutputLogs : ILoggerProvider, ILogger
    {
        private readonly ITestOutputHelper? output = TestContext.Current.TestOutputHelper;

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
                return;
            try
            {
                output?.WriteLine($"{logLevel}: {formatter(state, exception)} {exception}");
            }
            catch (InvalidOperationException)
            {
                // The test is over.
            }
        }

        public void Dispose()
        {
        }
    }
}
