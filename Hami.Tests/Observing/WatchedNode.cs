using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Hami.NodeAgent;
using Hami.NodeAgent.Observing;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Cluster;
using Hami.NodeAgent.Registering;
using Hami.Tests.Allocating;
using Hami.Tests.Given;
using k8s.Models;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Hami.Tests.Observing;

/// <summary>The whole agent on a node without a kubelet: containers are what a test puts there.</summary>
internal sealed class WatchedNode : IAsyncDisposable
{
    public const string CardA = "GPU-11111111-1111-1111-1111-111111111111";
    public const string CardB = "GPU-22222222-2222-2222-2222-222222222222";

    private static readonly HttpClient Http = new();

    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("hami");
    private IHost host = null!;

    public string Dir => root.FullName;

    public TinyApiServer Api { get; private set; } = null!;

    public ConcurrentQueue<string> Log { get; } = [];

    /// <summary>Where the interceptor was built.</summary>
    public static string Built { get; } = Path.Combine(Path.GetDirectoryName(Here())!, "..", "..", "Hami.Interceptor", "build");

    public static async Task<WatchedNode> Start(Func<ObservingOptions, ObservingOptions>? with = null, IReadOnlyList<string>? nvml = null)
    {
        var node = new WatchedNode { Api = await TinyApiServer.Start() };
        var devices = Path.Combine(node.Dir, "devices.yaml");
        await File.WriteAllTextAsync(
            devices,
            $$"""
            devices:
              - { uuid: {{CardA}}, model: NVIDIA A100, memoryMiB: 40960 }
              - { uuid: {{CardB}}, model: NVIDIA A100, memoryMiB: 40960 }
            """);
        var watching = new ObservingOptions { SampleInterval = TimeSpan.FromMilliseconds(100), MetricsBind = "127.0.0.1:0", ProcRoot = Path.Combine(node.Dir, "proc") };
        var options = new AgentOptions
        {
            NodeName = "node-1",
            DeviceFile = nvml is null ? devices : null,
            NvmlLibraries = nvml ?? [],
            KubeletDir = node.Dir,
            HookPath = Path.Combine(node.Dir, "host"),
            AcceptUnsigned = true,
            Observing = with?.Invoke(watching) ?? watching,
        };
        node.host = AgentHost.Build(options, nvml is null ? DeviceFile.Read(devices) : [], node.Api.Client.ForAgent(), logging => logging.AddProvider(new Logs(node.Log)));
        await node.host.StartAsync();
        return node;
    }

    public T Room<T>()
        where T : notnull => host.Services.GetRequiredService<T>();

    /// <summary>A pod with containers c0, c1, … and init containers i0, …, each given the cards named for it in order, 10 % and 1000 MiB of each.</summary>
    public async Task<V1Pod> Bind(string name, string?[] apps, string?[]? init = null, Action<V1Pod>? with = null)
    {
        var all = (init ?? []).Concat(apps).Select(cards => string.Concat((cards ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(card => $"{card},NVIDIA,1000,10:")));
        var pod = NodePods.Pod(
            name, string.Concat(all.Select(c => c + ";")), [.. apps.Select(Count)], init is null ? null : [.. init.Select(Count)]);
        with?.Invoke(pod);
        Api.Put(pod);
        await AgentOnANode.Eventually(() => Room<PodsOnNode>().Find(pod.Uid())?.Pod.Metadata.ResourceVersion == Api.Pod(name).ResourceVersion());
        return pod;

        static int Count(string? cards) => cards is null ? 0 : cards.Split(',').Length;
    }

    /// <summary>The container's folder.</summary>
    public string Place(string pod, string container)
    {
        var place = Path.Combine(Dir, "host", "vgpu", "containers", $"uid-{pod}_{container}");
        Directory.CreateDirectory(place);
        return place;
    }

    public string Put(string pod, string container, RegionImage region, string name = "x.cache")
    {
        var path = Path.Combine(Place(pod, container), name);
        // Whole at once: the agent looks at any time.
        File.WriteAllBytes(path + ".new", region.Bytes);
        File.Move(path + ".new", path, overwrite: true);
        return path;
    }

    /// <summary>Says of a process that it is in a container, as the kernel would.</summary>
    public void PutProcess(int pid, string pod, string containerId, long startTicks = 5)
    {
        var of = Directory.CreateDirectory(Path.Combine(Dir, "proc", $"{pid}")).FullName;
        File.WriteAllText(Path.Combine(of, "stat"), $"{pid} (a program) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 {startTicks} 99 0");
        File.WriteAllText(Path.Combine(of, "cgroup"), $"0::/kubepods/burstable/pod{pod}/{containerId}\n");
    }

    public async Task<string> Scrape() => await Http.GetStringAsync(new Uri(new Uri(Room<MetricsEndpoint>().Address!), "/metrics"));

    /// <summary>Waits until a scrape holds what is asked of it.</summary>
    public async Task<string> Scrape(Func<string, bool> until)
    {
        string text = "";
        await AgentOnANode.Eventually(() => until(text = Scrape().GetAwaiter().GetResult()));
        return text;
    }

    public static double? Value(string text, string family, params string[] labels) => text.Split('\n')
        .Where(l => l.StartsWith(family + "{", StringComparison.Ordinal) && labels.All(label => l.Contains(label, StringComparison.Ordinal)))
        .Select(l => (double?)double.Parse(l[(l.LastIndexOf(' ') + 1)..], System.Globalization.CultureInfo.InvariantCulture)).SingleOrDefault();

    public async ValueTask DisposeAsync()
    {
        await host.StopAsync();
        host.Dispose();
        await Api.DisposeAsync();
        root.Delete(recursive: true);
    }

    private static string Here([CallerFilePath] string file = "") => file;

    private sealed class Logs(ConcurrentQueue<string> lines) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
                lines.Enqueue($"{logLevel}: {formatter(state, exception)} {exception}");
        }

        public void Dispose()
        {
        }
    }
}
