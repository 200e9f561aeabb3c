using Hami.Domain.Protocol;
using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Plumbing;
using k8s.Models;

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
        builder.WebHost.UseKestrelCore();
        builder.Services.AddSingleton(logs).AddSingleton<IHostLifetime, NoLifetime>().AddRoutingCore();
        app = builder.Build();
        app.Urls.Add(Url(address));
        app.MapGet("/metrics", () => Results.Text(Text(), ContentType));
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch (Exception e) when (e is IOException or FormatException or UriFormatException or InvalidOperationException or ArgumentException or System.Net.Sockets.SocketException)
        {
            // Devices are handed out all the same.
            LogNoAddress(address, e.Message);
            await app.DisposeAsync();
            app = null;
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => app?.StopAsync(cancellationToken) ?? Task.CompletedTask;

    public ValueTask DisposeAsync() => app?.DisposeAsync() ?? ValueTask.CompletedTask;

    /// <summary>Instances whose ids the pod's annotation has; one that nobody can read has none.</summary>
    internal static IEnumerable<MigHeld> Instances(PodOnNode pod, V1Pod told)
    {
        if (pod.Over || pod.Fault is not null || told.GetAnnotation(HamiKeys.MigAllocations) is not { Length: > 0 } text)
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

    // As Go writes an address: without a host it is every one of the machine's.
    private static string Url(string address) =>
        address.Contains("://", StringComparison.Ordinal) ? address : address.StartsWith(':') ? $"http://*{address}" : $"http://{address}";

    private string Text() => NodeMetrics.Text(
        new(
            options.NodeName, time.GetUtcNow(), readings.Latest, containers.Now(),
            [.. pods.Now.SelectMany(seen => shares.Find(seen.Pod.Uid()) is { } pod ? Instances(pod, seen.Pod) : []).DistinctBy(i => (i.Namespace, i.Pod, i.Container, i.DeviceIndex))],
            excess.Over, sampling.Counts with { Reported = excess.Counts.Reported, Killed = excess.Counts.Killed }),
        options.Observing.LegacyMetrics);

    [LoggerMessage(LogLevel.Error, "No metrics at {Address} ({Reason}); give --metrics-bind a free address and start again, or an empty one")]
    private partial void LogNoAddress(string address, string reason);
}
