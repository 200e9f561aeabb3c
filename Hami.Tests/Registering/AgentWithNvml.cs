using System.Collections.Concurrent;
using Hami.Domain.Protocol;
using Hami.NodeAgent;
using Hami.NodeAgent.Plumbing;
using Hami.Tests.Allocating;
using Hami.Tests.Given;
using k8s.Models;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Hami.Tests.Registering;

/// <summary>The whole agent in this process, with cards that a pretended NVML tells (or, without those, the one that its options name); it looks often, so that no test waits long.</summary>
internal sealed class AgentWithNvml : IAsyncDisposable
{
    // Unix socket paths end at 107 bytes.
    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("hami");
    private readonly Func<AgentOptions, AgentOptions> with;
    private readonly PretendedCards? cards;
    private IHost? host;

    private AgentWithNvml(PretendedCards? cards, Func<AgentOptions, AgentOptions> with) => (this.cards, this.with) = (cards, with);

    public PretendedCards Cards => cards!;

    public TinyApiServer Api { get; private set; } = null!;

    public TinyKubelet Kubelet { get; private set; } = null!;

    public ConcurrentQueue<string> Log { get; } = [];

    public string Dir => root.FullName;

    /// <summary>HAMi's per-node configuration.</summary>
    public string NodeConfig => Path.Combine(Dir, "config.json");

    public string? Annotation => Api.Node.GetAnnotation(HamiKeys.NodeRegister);

    /// <summary>What the node publishes.</summary>
    public IReadOnlyList<PublishedDevice> Published => Annotation is { } text ? NodeRegister.Decode(text) : [];

    /// <summary>What the kubelet knows, as <c>id health</c>, in order.</summary>
    public string Known => string.Join(' ', Kubelet.Health.OrderBy(d => d.Key, StringComparer.Ordinal).Select(d => $"{d.Key}={d.Value}"));

    public T Room<T>()
        where T : notnull => host!.Services.GetRequiredService<T>();

    public bool AllListening(int cards) => Log.Contains($"Listening for errors of {cards} cards");

    public static async Task<AgentWithNvml> Start(PretendedCards? cards, Func<AgentOptions, AgentOptions>? with = null, Action<AgentWithNvml>? before = null)
    {
        var node = new AgentWithNvml(cards, with ?? (options => options)) { Api = await TinyApiServer.Start() };
        node.Kubelet = await TinyKubelet.Start(node.Dir);
        before?.Invoke(node);
        await node.StartAgent();
        return node;
    }

    /// <summary>Writes a file as a ConfigMap changes: at once, never half.</summary>
    public static async Task Put(string path, string text)
    {
        await File.WriteAllTextAsync(path + ".new", text);
        File.Move(path + ".new", path, overwrite: true);
    }

    public async Task StartAgent()
    {
        var options = with(new AgentOptions
        {
            NodeName = "node-1",
            NvmlLibraries = cards is null ? [] : [cards.Library],
            Sysfs = Path.Combine(Dir, "sys"),
            NodeConfigFile = NodeConfig,
            NodeConfigMayBeMissing = true,
            LookAtCards = TimeSpan.FromMilliseconds(100),
            LookAtNode = TimeSpan.FromMilliseconds(100),
            KubeletDir = Dir,
            HookPath = Path.Combine(Dir, "host"),
            AcceptUnsigned = true,
        });
        Assert.Null(options.Fault());
        host = AgentHost.Build(options, [], Api.Client.ForAgent(), logging => logging.AddProvider(new Logs(Log)).SetMinimumLevel(LogLevel.Debug));
        await host.StartAsync();
    }

    public async Task StopAgent()
    {
        await host!.StopAsync();
        host.Dispose();
        host = null;
    }

    public async ValueTask DisposeAsync()
    {
        if (host is not null)
            await StopAgent();
        await Kubelet.DisposeAsync();
        await Api.DisposeAsync();
        root.Delete(recursive: true);
    }

    private sealed class Logs(ConcurrentQueue<string> log) : ILoggerProvider, ILogger
    {
        private readonly ITestOutputHelper? output = TestContext.Current.TestOutputHelper;

        public ILogger CreateLogger(string categoryName) => categoryName.StartsWith("Hami.", StringComparison.Ordinal) ? this : Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            log.Enqueue(formatter(state, exception));
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
