using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Hami.Domain.Protocol;
using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Cluster;

namespace Hami.NodeAgent.Observing;

/// <summary>Serves <c>GET /metrics</c> where <c>--metrics-bind</c> asks for it, from the last look: a scrape asks no card.</summary>
internal sealed partial class MetricsEndpoint(
    AgentOptions options, NodeReadings readings, Sampling sampling, ExcessEnforcement excess, WatchedContainers containers, PodsOnNode pods, PodsWithShares shares, TimeProvider time,
    ILoggerFactory logs, ILogger<MetricsEndpoint> log) : IHostedService, IAsyncDisposable
{
    private const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private WebApplication? app;

    /// <summary>Where it is, with the port that was found where 0 was asked for; null when there is none.</summary>
    public string? Address => app?.Urls.FirstOrDefault();

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.Observing.MetricsBind is not { } address)
            return;
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.Services.AddSingleton(logs).AddSingleton<IHostLifetime, NoLifetime>().AddRoutingCore();
        try
        {
            var (host, port) = Parse(address);
            builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
            {
                if (host is null)
                    kestrel.ListenAnyIP(port);
                else
                    kestrel.Listen(host, port);
            });
            app = builder.Build();
            app.MapGet("/metrics", () => Results.Text(Text(), ContentType));
            await app.StartAsync(cancellationToken);
        }
        catch (Exception e) when (e is IOException or FormatException or SocketException)
        {
            // Devices are handed out all the same.
            LogNoAddress(address, e.Message);
            if (app is not null)
                await app.DisposeAsync();
            app = null;
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => app?.StopAsync(cancellationToken) ?? Task.CompletedTask;

    public ValueTask DisposeAsync() => app?.DisposeAsync() ?? ValueTask.CompletedTask;

    /// <summary>Instances whose ids the pod's annotation has; one that nobody can read has none.</summary>
    internal static IEnumerable<MigHeld> Instances(PodOnNode pod, Pod told)
    {
        if (pod.Over || pod.Fault is not null || told.Annotation(HamiKeys.MigAllocations) is not { Length: > 0 } text)
            return [];
        try
        {
            return [.. MigAllocations.Decode(text).Where(mig => mig.ContainerIndex < pod.Containers.Count).Select(mig => Held(pod, mig)).OfType<MigHeld>()];
        }
        catch (FormatException)
        {
            return [];
        }
    }

    private static MigHeld? Held(PodOnNode pod, MigAllocation mig) => mig is { MigUuid: { Length: > 0 } uuid, GpuInstanceId: { } gpuInstance, ComputeInstanceId: { } computeInstance }
        ? new(pod.Namespace, pod.Name, pod.Containers[mig.ContainerIndex].Name, mig.DeviceIndex, mig.GpuUuid, uuid, mig.Profile, gpuInstance, computeInstance)
        : null;

    /// <summary>An address as Go writes it: without a host, null here, it is every one of the machine's.</summary>
    /// <exception cref="FormatException">It is none. Kestrel would take a host that it does not understand for all, and a port for 80.</exception>
    internal static (IPAddress? Host, int Port) Parse(string address)
    {
        var text = address.StartsWith("http://", StringComparison.OrdinalIgnoreCase) ? address[7..].TrimEnd('/') : address;
        var colon = text.LastIndexOf(':');
        if (colon < 0 || !ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port))
            throw new FormatException($"\"{address}\" has no port");
        var host = text[..colon];
        return host is "" or "*" or "[::]" ? (null, port)
            : host is "localhost" ? (IPAddress.Loopback, port)
            : IPAddress.TryParse(host, out var ip) ? (ip, port)
            : throw new FormatException($"\"{host}\" is no IP address");
    }

    private string Text() => NodeMetrics.Text(
        new(
            options.NodeName, time.GetUtcNow(), readings.Latest, containers.Now(),
            [.. pods.Now.SelectMany(seen => shares.Find(seen.Pod.Uid) is { } pod ? Instances(pod, seen.Pod) : []).DistinctBy(i => (i.Namespace, i.Pod, i.Container, i.DeviceIndex))],
            excess.Over, sampling.Counts with { Reported = excess.Counts.Reported, Killed = excess.Counts.Killed }),
        options.Observing.LegacyMetrics);

    [LoggerMessage(LogLevel.Error, "No metrics at {Address} ({Reason}); give --metrics-bind a free address and start again, or an empty one")]
    private partial void LogNoAddress(string address, string reason);
}
