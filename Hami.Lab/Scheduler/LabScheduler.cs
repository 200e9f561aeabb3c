using System.Collections.Concurrent;
using System.Text.Json;
using Hami.Lab.Kubelet;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>Stands in for kube-scheduler: places one pod at a time and asks the extender exactly as kube-scheduler would.</summary>
public sealed partial class LabScheduler : IAsyncDisposable
{
    private readonly LabSchedulerOptions _options;
    private readonly ILogger _log;
    private readonly SchedulingQueue _queue;
    private readonly SchedulerEvents _events;
    private readonly ExtenderClient _extender;
    private readonly ConcurrentDictionary<string, V1Node> _nodes = new(StringComparer.Ordinal);

    // Pods with a node already chosen whose Binding has not been seen yet: never put back by a late watch event.
    private readonly ConcurrentDictionary<string, string> _assumed = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Task> _bindings = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _podsListed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _nodesListed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _loops = Task.CompletedTask;

    private LabScheduler(LabSchedulerOptions options)
    {
        _options = options;
        _log = options.Logging.CreateLogger<LabScheduler>();
        _queue = new(options.Time);
        _events = new(options.Kubernetes, options.SchedulerName, options.Time);
        _extender = new(options.ExtenderUrl, options.HttpTimeout);
    }

    /// <summary>Starts watching and placing; returns when pods and nodes have been listed once.</summary>
    public static async Task<LabScheduler> StartAsync(LabSchedulerOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        var scheduler = new LabScheduler(options);
        scheduler._loops = Task.WhenAll(
            Task.Run(scheduler.WatchNodes, CancellationToken.None),
            Task.Run(scheduler.WatchPods, CancellationToken.None),
            Task.Run(scheduler.Place, CancellationToken.None));
        try
        {
            await Task.WhenAll(scheduler._podsListed.Task, scheduler._nodesListed.Task).WaitAsync(cancellationToken);
            return scheduler;
        }
        catch
        {
            await scheduler.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loops.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(_bindings.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _extender.Dispose();
        _stop.Dispose();
    }

    private async Task WatchNodes()
    {
        var mirror = Mirror.Nodes(_options.Kubernetes, _options.Time, e => WatchBroke(_log, "nodes", e.Message));
        await foreach (var change in mirror.Changes(() => _nodesListed.TrySetResult(), _stop.Token))
        {
            if (change.Now is { } now)
                _nodes[now.Name()] = now;
            else
                _nodes.TryRemove(change.Before!.Name(), out _);
            if (NodeChecks.MayMakeRoom(change.Before, change.Now))
                _queue.WakeAll();
        }
    }

    private async Task WatchPods()
    {
        var mirror = Mirror.Pods(_options.Kubernetes, fieldSelector: null, _options.Time, e => WatchBroke(_log, "pods", e.Message));
        await foreach (var change in mirror.Changes(() => _podsListed.TrySetResult(), _stop.Token))
        {
            if (change.Now is { } pod && !IsTerminal(pod))
                Waits(change.Before, pod);
            else
                Ended(change.Before ?? change.Now!, change.Now);
        }
    }

    private void Waits(V1Pod? before, V1Pod pod)
    {
        if (!string.IsNullOrEmpty(pod.Spec.NodeName))
        {
            _assumed.TryRemove(pod.Uid(), out _);
            _queue.Remove(pod.Uid());
            return;
        }
        if (_assumed.ContainsKey(pod.Uid()) || !IsOurs(pod))
            return;
        if (pod.Metadata.DeletionTimestamp is not null || pod.Spec.SchedulingGates is { Count: > 0 })
        {
            _queue.Remove(pod.Uid());
            return;
        }
        var helps = before is not null
            && (!NodeChecks.Same(before.Metadata.Annotations, pod.Metadata.Annotations) || !NodeChecks.Same(before.Metadata.Labels, pod.Metadata.Labels));
        _queue.Put(pod, helps);
    }

    private void Ended(V1Pod last, V1Pod? now)
    {
        _assumed.TryRemove(last.Uid(), out _);
        _queue.Remove(last.Uid());
        _events.Forget(last.Uid());
        // A terminal pod made room when it became terminal; its later deletion frees nothing more.
        var freed = now is null ? !IsTerminal(last) : true;
        if (freed && !string.IsNullOrEmpty(last.Spec.NodeName ?? now?.Spec.NodeName))
            _queue.WakeAll();
    }

    private async Task Place()
    {
        await Task.WhenAll(_podsListed.Task, _nodesListed.Task).WaitAsync(_stop.Token);
        while (true)
        {
            var pod = await _queue.Take(_stop.Token);
            try
            {
                await PlaceOne(pod);
            }
            catch (ExtenderException e)
            {
                await GiveUpForNow(pod, "SchedulerError", e.Message);
            }
            catch (Exception e) when (!_stop.IsCancellationRequested)
            {
                // One pod's bad luck must not stop the others.
                CycleBroke(_log, pod.Metadata.NamespaceProperty, pod.Metadata.Name, e);
                _queue.Failed(pod.Uid());
            }
        }
    }

    private async Task PlaceOne(V1Pod pod)
    {
        var nodes = _nodes.Values.OrderBy(n => n.Name(), StringComparer.Ordinal).ToList();
        var refusals = new List<Refusal>();
        var candidates = new List<string>();
        foreach (var node in nodes)
        {
            if (NodeChecks.Refuses(pod, node) is { } refusal)
                refusals.Add(refusal);
            else
                candidates.Add(node.Name());
        }

        var asksExtender = AsksManagedResource(pod);
        if (asksExtender && candidates.Count > 0)
        {
            var answer = await _extender.Filter(pod, candidates, _stop.Token);
            refusals.AddRange(answer.FailedNodes?.Values.Select(text => new Refusal(text, Final: false)) ?? []);
            refusals.AddRange(answer.FailedAndUnresolvableNodes?.Values.Select(text => new Refusal(text, Final: true)) ?? []);
            candidates = [.. answer.NodeNames ?? []];
        }
        if (candidates.Count == 0)
        {
            await Refuse(pod, Unschedulable.Sentence(nodes.Count, refusals));
            return;
        }

        var chosen = await Choose(pod, candidates, asksExtender);
        // Assumed first: the next pod's filter may go on while this Binding is under way.
        _assumed[pod.Uid()] = chosen;
        _bindings[pod.Uid()] = Task.Run(() => Bind(pod, chosen, asksExtender), CancellationToken.None);
    }

    // kube-scheduler throws dice among equals; the lab takes the first by name, so that a run can be repeated.
    private async Task<string> Choose(V1Pod pod, List<string> candidates, bool asksExtender)
    {
        var scores = new Dictionary<string, long>(StringComparer.Ordinal);
        if (asksExtender && _options.Prioritizes && candidates.Count > 1)
        {
            foreach (var priority in await _extender.Prioritize(pod, candidates, _stop.Token))
                scores[priority.Host] = priority.Score;
        }
        return candidates.OrderByDescending(scores.GetValueOrDefault).ThenBy(n => n, StringComparer.Ordinal).First();
    }

    private async Task Bind(V1Pod pod, string node, bool byExtender)
    {
        try
        {
            if (byExtender)
                await _extender.Bind(pod, node, _stop.Token);
            else
                await BindOurselves(pod, node);
            Placed(_log, pod.Metadata.NamespaceProperty, pod.Metadata.Name, node);
            _queue.Remove(pod.Uid());
            await Tell(() => _events.Scheduled(pod, node, _stop.Token), pod);
            _events.Forget(pod.Uid());
        }
        catch (Exception e) when (!_stop.IsCancellationRequested)
        {
            _assumed.TryRemove(pod.Uid(), out _);
            await GiveUpForNow(pod, "SchedulerError", $"binding rejected: {Words(e)}");
        }
        finally
        {
            _bindings.TryRemove(pod.Uid(), out _);
        }
    }

    private async Task BindOurselves(V1Pod pod, string node) => await _options.Kubernetes.CoreV1.CreateNamespacedPodBindingWithHttpMessagesAsync(
        new V1Binding
        {
            ApiVersion = "v1",
            Kind = "Binding",
            Metadata = new() { Name = pod.Name(), NamespaceProperty = pod.Namespace(), Uid = pod.Uid() },
            Target = new() { ApiVersion = "v1", Kind = "Node", Name = node },
        },
        pod.Name(),
        pod.Namespace(),
        cancellationToken: _stop.Token);

    private async Task Refuse(V1Pod pod, string sentence)
    {
        Refused(_log, pod.Metadata.NamespaceProperty, pod.Metadata.Name, sentence);
        // Back to the queue first: our own status patch must not be mistaken for news that came in between.
        _queue.Refused(pod.Uid());
        await Explain(pod, "Unschedulable", sentence);
    }

    private async Task GiveUpForNow(V1Pod pod, string reason, string sentence)
    {
        TriesAgain(_log, pod.Metadata.NamespaceProperty, pod.Metadata.Name, sentence);
        _queue.Failed(pod.Uid());
        await Explain(pod, reason, sentence);
    }

    private async Task Explain(V1Pod pod, string reason, string sentence)
    {
        await Tell(() => _events.FailedScheduling(pod, sentence, _stop.Token), pod);
        await Tell(() => PatchCondition(pod, reason, sentence), pod);
    }

    private async Task PatchCondition(V1Pod pod, string reason, string sentence)
    {
        var had = pod.Status?.Conditions?.FirstOrDefault(c => c.Type == "PodScheduled");
        if (had is { Status: "False" } && had.Reason == reason && had.Message == sentence)
            return;
        var since = had is { Status: "False" } && had.LastTransitionTime is { } at ? at : _options.Time.GetUtcNow().UtcDateTime;
        var patch = JsonSerializer.Serialize(new
        {
            status = new
            {
                conditions = new[]
                {
                    new
                    {
                        lastProbeTime = (string?)null,
                        lastTransitionTime = since.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'"),
                        message = sentence,
                        observedGeneration = pod.Metadata.Generation,
                        reason,
                        status = "False",
                        type = "PodScheduled",
                    },
                },
            },
        });
        await _options.Kubernetes.CoreV1.PatchNamespacedPodStatusAsync(
            new V1Patch(patch, V1Patch.PatchType.StrategicMergePatch), pod.Name(), pod.Namespace(), cancellationToken: _stop.Token);
    }

    // What we say about a pod is a courtesy; a server that does not take it must not stop the placing.
    private async Task Tell(Func<Task> call, V1Pod pod)
    {
        try
        {
            await call();
        }
        catch (Exception e) when (e is not OperationCanceledException || !_stop.IsCancellationRequested)
        {
            var words = Words(e);
            NotTold(_log, pod.Metadata.NamespaceProperty, pod.Metadata.Name, words);
        }
    }

    private bool IsOurs(V1Pod pod) =>
        pod.Spec.SchedulerName == _options.SchedulerName || pod.Spec.SchedulerName is null or "" or "default-scheduler";

    private bool AsksManagedResource(V1Pod pod) =>
        (pod.Spec.InitContainers ?? []).Concat(pod.Spec.Containers).Any(c =>
            _options.ManagedResources.Any(r => c.Resources?.Limits?.ContainsKey(r) == true || c.Resources?.Requests?.ContainsKey(r) == true));

    private static bool IsTerminal(V1Pod pod) => pod.Status?.Phase is "Succeeded" or "Failed";

    private static string Words(Exception e) => e is HttpOperationException http ? $"{http.Message}: {http.Response?.Content}" : e.Message;

    [LoggerMessage(Level = LogLevel.Information, Message = "{Namespace}/{Pod} goes to {Node}.")]
    private static partial void Placed(ILogger logger, string @namespace, string pod, string node);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Namespace}/{Pod} fits nowhere: {Sentence}")]
    private static partial void Refused(ILogger logger, string @namespace, string pod, string sentence);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Namespace}/{Pod} is tried again after its back-off: {Sentence}")]
    private static partial void TriesAgain(ILogger logger, string @namespace, string pod, string sentence);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The API server did not take what we said about {Namespace}/{Pod}: {Sentence}")]
    private static partial void NotTold(ILogger logger, string @namespace, string pod, string sentence);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The watch of {Kind} broke and is taken up again: {Sentence}")]
    private static partial void WatchBroke(ILogger logger, string kind, string sentence);

    [LoggerMessage(Level = LogLevel.Error, Message = "Placing {Namespace}/{Pod} failed in the scheduler itself.")]
    private static partial void CycleBroke(ILogger logger, string @namespace, string pod, Exception exception);
}
