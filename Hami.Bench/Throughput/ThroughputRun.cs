using System.Globalization;
using System.Text.Json;
using Hami.Lab.Cluster;
using Hami.Lab.Hollow;
using k8s;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Hami.Bench.Throughput;

/// <summary>Applies the pods to a cluster that is up, and waits until all of them run.</summary>
internal sealed class ThroughputRun(LabCluster cluster, ThroughputOptions options, TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);

    // Seconds, and the part of a core that a program takes at the least while it compiles.
    private const int LongestSettling = 30;
    private const double Compiling = 0.5;

    private readonly string _path = $"/api/v1/namespaces/{cluster.Namespace}/pods";

    public async Task<ThroughputReport> MeasureAsync(CancellationToken ct)
    {
        using var kubernetes = new Kubernetes(KubernetesClientConfiguration.BuildConfigFromConfigFile(cluster.Kubeconfig));
        var api = new BareApi(kubernetes);
        await using var source = NpgsqlDataSource.Create(cluster.Postgres.ConnectionString);
        await RunAsync(api, "warm", options.WarmUp, ct);
        if (options.WarmUp > 0)
            await SettleAsync(ct);

        var before = await LookAsync(kubernetes, source, ct);
        if (!before.Database.IsDurable)
            throw new InvalidOperationException($"PostgreSQL runs with fsync {before.Database.Fsync} and synchronous_commit {before.Database.SynchronousCommit}: a log that may be lost is not measured.");
        var times = await RunAsync(api, "pod", options.Pods, ct);
        var logged = time.GetElapsedTime(times.FirstSent);
        var after = await LookAsync(kubernetes, source, ct);
        double PerPod(double amount) => Math.Round(amount / options.Pods, 3);
        return new(
            options.Nodes,
            cluster.Nodes.Sum(node => node.Cards.Count),
            options.Pods,
            options.Policy,
            Math.Round(times.Whole.TotalSeconds, 3),
            Math.Round(options.Pods / times.Whole.TotalSeconds, 1),
            Math.Round(times.Quantile(0.5), 1),
            Math.Round(times.Quantile(0.99), 1),
            Math.Round(logged.TotalSeconds, 3),
            PerPod(after.Events - before.Events),
            PerPod(after.Revision - before.Revision),
            PerPod(after.Database.Commits - before.Database.Commits),
            after.Database.Syncs - before.Database.Syncs is { } syncs ? PerPod(syncs) : null,
            after.Cpu.ToDictionary(part => part.Key, part => PerPod(1000 * (part.Value - before.Cpu[part.Key])), StringComparer.Ordinal),
            after.Database.Version,
            after.Database.Fsync,
            after.Database.SynchronousCommit,
            Environment.ProcessorCount);
    }

    /// <summary>Until what the warm-up has left to be compiled is compiled: one thread of each program does it, behind the work.</summary>
    private async Task SettleAsync(CancellationToken ct)
    {
        for (var seconds = 0; seconds < LongestSettling; seconds++)
        {
            var before = ProcessorTimes().Values.Sum();
            await Task.Delay(TimeSpan.FromSeconds(1), ct);
            if (ProcessorTimes().Values.Sum() - before < Compiling)
                return;
        }
    }

    // Returns when all run and the log has them attached.
    private async Task<PodTimes> RunAsync(BareApi api, string prefix, int pods, CancellationToken ct)
    {
        var times = new PodTimes(pods, time);
        if (pods == 0)
            return times;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        stop.CancelAfter(Patience);
        var known = await cluster.ControlPlane.EventCountAsync(ct);
        var listed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var watching = new PodStream(api, time, NullLogger.Instance, among: "status.phase!=Pending").Follow(
            (change, pod) =>
            {
                if (change is PodChange.Listed)
                    listed.TrySetResult();
                return times.Seen(change, pod);
            },
            stop.Token);
        await listed.Task.WaitAsync(stop.Token);

        var together = new ParallelOptions { MaxDegreeOfParallelism = options.Clients, CancellationToken = stop.Token };
        await Parallel.ForAsync(0, pods, together, async (number, cancellation) => await ApplyAsync(api, times, $"{prefix}-{number:d5}", cancellation));
        try
        {
            await times.All.WaitAsync(stop.Token);
            // Placed, bound, attached: what the log says of a pod that runs.
            while (await cluster.ControlPlane.EventCountAsync(stop.Token) < known + (3 * pods))
                await Task.Delay(20, stop.Token);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new TimeoutException($"After {Patience.TotalMinutes.ToString(CultureInfo.InvariantCulture)} minutes {times.Running} of {pods} pods run; the logs are in {cluster.Logs}.", e);
        }
        await stop.CancelAsync();
        await watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return times;
    }

    private async Task ApplyAsync(BareApi api, PodTimes times, string name, CancellationToken ct)
    {
        times.Sent(name);
        var (code, said) = await api.Send(HttpMethod.Post, _path, BareApi.Json, Pod(name, options.Policy), ct);
        if ((int)code >= 400)
            throw new InvalidOperationException($"The API server did not take the pod {name}: {said}");
    }

    private static string Pod(string name, string policy) => JsonSerializer.Serialize(new
    {
        apiVersion = "v1",
        kind = "Pod",
        metadata = new { name, annotations = new Dictionary<string, string>(StringComparer.Ordinal) { ["hami.io/node-scheduler-policy"] = policy } },
        spec = new
        {
            restartPolicy = "Never",
            containers = new[]
            {
                new
                {
                    name = "main",
                    image = "bench",
                    resources = new { limits = new Dictionary<string, string>(StringComparer.Ordinal) { ["nvidia.com/gpu"] = "1", ["nvidia.com/gpumem"] = "10240" } },
                },
            },
        },
    });

    private async Task<Look> LookAsync(Kubernetes kubernetes, NpgsqlDataSource source, CancellationToken ct) => new(
        await cluster.ControlPlane.EventCountAsync(ct),
        long.Parse((await kubernetes.CoreV1.ListNamespaceAsync(cancellationToken: ct)).Metadata.ResourceVersion, CultureInfo.InvariantCulture),
        await Database.LookAsync(source, ct),
        ProcessorTimes());

    private Dictionary<string, double> ProcessorTimes() => new(StringComparer.Ordinal)
    {
        ["API server, scheduler, kubelets, client"] = ProcessorTime.Of(Environment.ProcessId),
        ["hami-api"] = ProcessorTime.Of(cluster.ApiProcessId ?? 0),
        ["node agents"] = ProcessorTime.Of(cluster.AgentsProcessId ?? 0),
        ["PostgreSQL"] = ProcessorTime.OfFamily(cluster.Postgres.ProcessId),
    };

    private sealed record Look(long Events, long Revision, Database Database, IReadOnlyDictionary<string, double> Cpu);
}
