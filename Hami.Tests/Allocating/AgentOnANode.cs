using Hami.NodeAgent;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Registering;
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

    public TinyApiServer Api { get; private set; } = null!;

    public TinyKubelet Kubelet { get; private set; } = null!;

    public string Dir => root.FullName;

    public string DeviceFilePath => Path.Combine(Dir, "devices.yaml");

    public string Containers => Path.Combine(Dir, "host", "vgpu", "containers");

    public static async Task<AgentOnANode> Start(bool kubelet = true, bool podResources = true)
    {
        var node = new AgentOnANode { Api = await TinyApiServer.Start() };
        await File.WriteAllTextAsync(node.DeviceFilePath, BothHealthy);
        if (kubelet)
            await node.StartKubelet(podResources);
        await node.StartAgent();
        if (kubelet)
            await Eventually(() => node.Kubelet.Health.Count == 20);
        return node;
    }

    public async Task StartAgent()
    {
        var options = new AgentOptions
        {
            NodeName = "node-1",
            DeviceFile = DeviceFilePath,
            KubeletDir = Dir,
            HookPath = Path.Combine(Dir, "host"),
            LockPath = Path.Combine(Dir, "lock"),
        };
        Assert.Null(options.Fault());
        host = AgentHost.Build(options, DeviceFile.Read(DeviceFilePath), Api.Client, logging => logging.AddProvider(new OutputLogs()));
        await host.StartAsync();
        if (!Api.Away)
            await Eventually(() => host.Services.GetRequiredService<PodsOnNode>().Synced);
    }

    public async Task StopAgent()
    {
        await host!.StopAsync();
        host.Dispose();
        host = null;
    }

    public async Task StartKubelet(bool podResources = true) => Kubelet = await TinyKubelet.Start(Dir, podResources, Kubelet);

    /// <summary>Binds a pod to the node, as the scheduler's Binding does.</summary>
    public V1Pod Bind(V1Pod pod)
    {
        Api.Put(pod);
        return pod;
    }

    public static async Task Eventually(Func<bool> holds, int seconds = 15)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (!holds())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(seconds), "This did not come true in time.");
            await Task.Delay(10);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (host is not null)
            await StopAgent();
        if (Kubelet is not null)
            await Kubelet.DisposeAsync();
        await Api.DisposeAsync();
        root.Delete(recursive: true);
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
