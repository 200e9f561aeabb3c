using Hami.Lab.Kubelet;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>Stands in for kube-controller-manager: the loops that make of a cluster's objects what its users asked for.</summary>
public sealed partial class LabControllers : IAsyncDisposable
{
    // As kube-controller-manager's --concurrent-*-syncs.
    private const int Workers = 5;
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stop = new();
    private Task _loops = Task.CompletedTask;

    private LabControllers(ILogger log) => _log = log;

    /// <summary>Starts the controllers; returns when they have seen all there is.</summary>
    public static async Task<LabControllers> StartAsync(LabControllersOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        var controllers = new LabControllers(options.Logging.CreateLogger<LabControllers>());
        try
        {
            await controllers.Start(options, cancellationToken);
            return controllers;
        }
        catch
        {
            await controllers.DisposeAsync();
            throw;
        }
    }

    /// <summary>Stops the controllers; what they made stays.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loops.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task Start(LabControllersOptions options, CancellationToken cancellationToken)
    {
        var informers = new Informers(options, e => WatchBroke(_log, e.Message));
        var events = new ControllerEvents(options, options.Logging.CreateLogger<ControllerEvents>());
        var owned = new OwnedPods(informers.Pods, options.Kubernetes);
        var sets = new ReplicaSets(options, informers.ReplicaSets, informers.Pods, owned, events);
        var deployments = new Deployments(options, informers.Deployments, informers.ReplicaSets, informers.Pods, events);
        var jobs = new Jobs(options, informers.Jobs, informers.Pods, owned, events);
        var contents = new NamespaceContents(options, informers.Namespaces);
        var quotas = new QuotaStatus(options, informers.Quotas, informers.Pods);
        var garbage = new GarbageCollector(options, informers.Pods, e => WatchBroke(_log, e.Message));
        garbage.OnGone((resource, metadata) =>
        {
            contents.Gone(resource, metadata);
            quotas.Recount(metadata.NamespaceProperty);
        });
        var health = new NodeHealth(options, informers.Nodes, informers.Leases, informers.Pods, events);
        var evictions = new TaintEvictions(options, informers.Nodes, informers.Pods, events);
        var strays = new StrayPods(options, informers.Nodes, informers.Pods);

        IInformer[] watching = [.. informers.All, .. garbage.Informers];
        _loops = Task.WhenAll([.. watching.Select(i => Forever("The informer", i.Run, options.Time)), Forever("The writer of events", events.WriteAll, options.Time)]);
        await Task.WhenAll(watching.Select(i => i.Listed)).WaitAsync(cancellationToken);
        await MakeRuntimeClasses(options, cancellationToken);
        _loops = Task.WhenAll(
            _loops,
            Work(sets.Queue, "ReplicaSet", sets.Look),
            Work(deployments.Queue, "Deployment", deployments.Look),
            Work(jobs.Queue, "Job", jobs.Look),
            Work(jobs.Strays, "Pod", jobs.LookAtStray),
            Work(contents.Queue, "Namespace", contents.Look),
            Work(quotas.Queue, "ResourceQuota", quotas.Look),
            Work(garbage.Queue, "owner references", garbage.Look),
            Work(evictions.Queue, "taints of Pod", evictions.Look),
            Forever("The node lifecycle controller", health.Run, options.Time),
            Forever("The pod garbage collector", strays.Run, options.Time));
    }

    // Nobody waits for a loop until the end: one that broke without a word would leave a cluster that looks alive and does nothing.
    private Task Forever(string what, Func<CancellationToken, Task> loop, TimeProvider time) => Task.Run(
        async () =>
        {
            while (!_stop.IsCancellationRequested)
            {
                try
                {
                    await loop(_stop.Token);
                }
                catch (Exception e) when (!_stop.IsCancellationRequested)
                {
                    LoopBroke(_log, e, what);
                    await Task.Delay(Rest, time, _stop.Token);
                }
            }
        },
        CancellationToken.None);

    private Task Work(WorkQueue queue, string what, Func<string, CancellationToken, Task> look) => queue.Run(Workers, look, (key, e) => Told(what, key, e), _stop.Token);

    private void Told(string what, string key, Exception e)
    {
        // A stale version is read again and tried again: the ordinary way of writing.
        if (e is HttpOperationException refused && refused.IsConflict())
            return;
        var sentence = Refusals.Sentence(e);
        TriedInVain(_log, what, key, sentence);
    }

    private static async Task MakeRuntimeClasses(LabControllersOptions options, CancellationToken cancellationToken)
    {
        foreach (var (name, handler) in options.RuntimeClasses)
        {
            try
            {
                await options.Kubernetes.NodeV1.CreateRuntimeClassAsync(
                    new V1RuntimeClass { ApiVersion = "node.k8s.io/v1", Kind = "RuntimeClass", Metadata = new() { Name = name }, Handler = handler }, cancellationToken: cancellationToken);
            }
            catch (HttpOperationException e) when (e.IsAlreadyThere())
            {
                // From an earlier start, or the user's own.
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A watch broke and is taken up again: {Sentence}")]
    private static partial void WatchBroke(ILogger logger, string sentence);

    [LoggerMessage(Level = LogLevel.Error, Message = "{What} broke and is started again.")]
    private static partial void LoopBroke(ILogger logger, Exception e, string what);

    [LoggerMessage(Level = LogLevel.Information, Message = "{What} {Key} is tried again: {Sentence}")]
    private static partial void TriedInVain(ILogger logger, string what, string key, string sentence);
}
