using System.Collections.Immutable;
using System.Net;

namespace Hami.NodeAgent.Plumbing.Cluster;

/// <summary>A pod bound to this node.</summary>
/// <param name="Order">Position in the order this agent came to know them, which is the order of their binding but for pods that were there at the start.</param>
internal sealed record SeenPod(Pod Pod, long Order);

/// <summary>The pods bound to this node: listed, then watched, and listed again whenever the watch breaks for good.</summary>
internal sealed partial class PodsOnNode(ApiServerClient api, AgentOptions options, TimeProvider time, ILogger<PodsOnNode> log)
    : BackgroundService
{
    private static readonly TimeSpan WatchLength = TimeSpan.FromMinutes(5);

    private readonly string selector = $"spec.nodeName={options.NodeName}";
    private readonly Lock gate = new();
    private ImmutableDictionary<string, SeenPod> seen = ImmutableDictionary<string, SeenPod>.Empty;
    private Listed? listed;
    private long order;

    /// <summary>True once the API server has told all pods of the node.</summary>
    public bool Synced { get; private set; }

    /// <summary>A pod object is gone; the argument is the pod's UID.</summary>
    public event Action<string>? Gone;

    /// <summary>The same list as long as nothing changes.</summary>
    public IReadOnlyList<SeenPod> Now
    {
        get
        {
            var now = seen;
            var kept = listed;
            if (kept?.Of != now)
                listed = kept = new(now, [.. now.Values]);
            return kept.Pods;
        }
    }

    public SeenPod? Find(string uid) => seen.GetValueOrDefault(uid);

    /// <summary>Asks the API server for the node's pods as they are now, past the watch, which may be behind.</summary>
    public async Task<IReadOnlyCollection<SeenPod>> Read(CancellationToken cancellation)
    {
        var list = await api.ListPodsAsync(selector, cancellation);
        // Not put into the watched set: a pod deleted while the answer travelled would stay there.
        lock (gate)
            return InOrder(list.Pods).Select((pod, i) => seen.GetValueOrDefault(pod.Uid) is { } known
                ? known with { Pod = pod }
                : new SeenPod(pod, order + 1 + i)).ToList();
    }

    /// <summary>Is this the pod that has its name now? Another of that name may have come that the watch has not told yet.</summary>
    public async Task<bool> IsCurrent(string @namespace, string name, string uid, CancellationToken cancellation)
    {
        try
        {
            return (await api.ReadPodAsync(@namespace, name, cancellation)).Uid == uid;
        }
        catch (ApiServerException e) when (e.Status is HttpStatusCode.NotFound)
        {
            return false;
        }
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(Follow, time, log, stoppingToken);

    private async Task Follow(CancellationToken stoppingToken)
    {
        for (var failures = 0; !stoppingToken.IsCancellationRequested;)
        {
            try
            {
                string? version = await List(stoppingToken);
                failures = 0;
                while (version is not null)
                {
                    version = await Watch(version, stoppingToken);
                    // A server that ends each watch at once must not be asked in a tight loop.
                    await Task.Delay(TimeSpan.FromMilliseconds(100), time, stoppingToken);
                }
            }
            catch (Exception e) when (Outage.Is(e, stoppingToken))
            {
                LogAway(e.Message, failures);
                await Task.Delay(Outage.BackOff(failures++, TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(10)), time, stoppingToken);
            }
        }
    }

    private async Task<string> List(CancellationToken stopping)
    {
        var list = await Bounded.Call(TimeSpan.FromSeconds(30), c => api.ListPodsAsync(selector, c), stopping);
        Take(list);
        return list.Metadata.ResourceVersion;
    }

    /// <summary>All pods of the node, as a list tells them.</summary>
    internal void Take(PodList list)
    {
        List<string> gone;
        lock (gate)
        {
            var present = list.Pods.Select(p => p.Uid).ToHashSet(StringComparer.Ordinal);
            gone = [.. seen.Keys.Where(uid => !present.Contains(uid))];
            seen = seen.RemoveRange(gone);
            foreach (var pod in InOrder(list.Pods))
                Put(pod);
        }
        Synced = true;
        gone.ForEach(uid => Gone?.Invoke(uid));
    }

    /// <summary>Follows the pods until the server ends the watch; returns where to go on, or null when only a list helps.</summary>
    private async Task<string?> Watch(string version, CancellationToken stopping)
    {
        // The server ends the watch in time; where the connection died silently we end it ourselves a little later.
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        bound.CancelAfter(WatchLength + TimeSpan.FromSeconds(30));
        try
        {
            await foreach (var told in api.WatchPodsAsync(selector, version, WatchLength, bound.Token))
            {
                version = told.Pod.Metadata.ResourceVersion ?? version;
                Take(told);
            }
        }
        catch (ApiServerException e) when (e.Status is HttpStatusCode.Gone)
        {
            return null;
        }
        return version;
    }

    /// <summary>One pod, as the watch tells it.</summary>
    internal void Take(WatchEvent told)
    {
        var (type, pod) = told;
        if (type is WatchEventType.Bookmark)
            return;
        if (type is WatchEventType.Deleted)
        {
            lock (gate)
                seen = seen.Remove(pod.Uid);
            Gone?.Invoke(pod.Uid);
            return;
        }
        lock (gate)
            Put(pod);
    }

    private void Put(Pod pod) =>
        seen = seen.SetItem(pod.Uid, seen.GetValueOrDefault(pod.Uid) is { } known ? known with { Pod = pod } : new SeenPod(pod, ++order));

    private static IEnumerable<Pod> InOrder(IEnumerable<Pod> pods) =>
        pods.OrderBy(p => p.Metadata.CreationTimestamp).ThenBy(p => p.Namespace, StringComparer.Ordinal).ThenBy(p => p.Name, StringComparer.Ordinal);

    private sealed record Listed(ImmutableDictionary<string, SeenPod> Of, IReadOnlyList<SeenPod> Pods);

    [LoggerMessage(LogLevel.Warning, "The API server does not tell this node's pods ({Reason}); trying again (failures in a row before this: {Failures})")]
    private partial void LogAway(string reason, int failures);
}
