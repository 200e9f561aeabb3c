using System.Collections.Concurrent;
using System.Net;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>Stands in for kube-scheduler: places one pod at a time and asks its extenders exactly as kube-scheduler would.</summary>
public sealed partial class LabScheduler : IAsyncDisposable
{
    private const string Unfit = "Unschedulable";
    private const string Error = "SchedulerError";

    private readonly LabSchedulerOptions _options;
    private readonly ILogger _log;
    private readonly SchedulingQueue _queue;
    private readonly SchedulerEvents _events;
    private readonly List<ExtenderClient> _extenders;
    private readonly ClusterState _cluster = new();
    private readonly Nominations _nominations = new();
    private readonly SchedulingCycle _cycle;
    private readonly Intake _intake;
    private readonly Lanes _lanes = new(count: 8);
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
        _events = new(options.Kubernetes, options.Time);
        _extenders = [.. options.Extenders.Select(e => new ExtenderClient(e))];
#pragma warning disable CA5394 // Dice that fall the same way again are the point.
        var dice = new Random(options.Seed);
#pragma warning restore CA5394
        var preemption = new Preemption(_cluster, _extenders, Read, dice);
        _cycle = new(_cluster, _nominations, _extenders, new Sample(options.PercentageOfNodesToScore), preemption, dice);
        _intake = new(_cluster, _nominations, _queue, options.SchedulerNames, keepsNodesWhole: options.Extenders.Any(e => !e.NodeCacheCapable));
    }

    /// <summary>Starts watching and placing; returns when pods and nodes have been listed once.</summary>
    public static async Task<LabScheduler> StartAsync(LabSchedulerOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        var scheduler = new LabScheduler(options);
        scheduler._loops = Task.WhenAll(
            scheduler.Run("nodes", scheduler.FollowNodes),
            scheduler.Run("pods", scheduler.FollowPods),
            scheduler.Run("placing", scheduler.Place),
            scheduler.Run("series of events", () => scheduler._events.Tend(scheduler._stop.Token)),
            scheduler.Run("what is said of pods", () => scheduler._lanes.Run(scheduler._stop.Token)));
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
        _extenders.ForEach(e => e.Dispose());
        _stop.Dispose();
    }

    private Task Run(string name, Func<Task> loop) => Loops.Run(name, loop, _log, _stop.Token);

    private Task FollowNodes() => Following.Nodes(_options.Kubernetes, _options.Time, e => WatchBroke(_log, "nodes", e.Message)).Run(
        _intake.Node,
        _intake.NodeGone,
        uids =>
        {
            _intake.OnlyTheseNodes(uids);
            _nodesListed.TrySetResult();
        },
        _stop.Token);

    private Task FollowPods() => Following.Pods(_options.Kubernetes, _options.Time, e => WatchBroke(_log, "pods", e.Message)).Run(
        _intake.Pod,
        _intake.PodGone,
        uids =>
        {
            _intake.OnlyThesePods(uids);
            _podsListed.TrySetResult();
        },
        _stop.Token);

    private async Task Place()
    {
        await Task.WhenAll(_podsListed.Task, _nodesListed.Task).WaitAsync(_stop.Token);
        while (true)
        {
            var queued = await _queue.Take(_stop.Token);
            try
            {
                await PlaceOne(queued);
            }
            catch (ExtenderException e)
            {
                await GiveUpForNow(queued, queued.Pod, e.Message);
            }
            catch (Exception e) when (!_stop.IsCancellationRequested)
            {
                // One pod's bad luck must not stop the others.
                CycleBroke(_log, queued.Record.Namespace, queued.Record.Name, e);
                _queue.Failed(queued);
            }
        }
    }

    private async Task PlaceOne(QueuedPod queued)
    {
        var (pod, record) = (queued.Pod, queued.Record);
        if (record.IsEnding)
        {
            _queue.Remove(record.Uid);
            await Tell(pod, record, FailedScheduling(pod, record, $"skip schedule deleting pod: {record.Namespace}/{record.Name}"));
            return;
        }

        switch (await _cycle.Try(pod, record, _stop.Token))
        {
            case Verdict.Goes goes:
                Assume(queued, record, goes.Node);
                var binding = _bindings[record.Uid] = Task.Run(() => Bind(queued, pod, record, goes.Node), CancellationToken.None);
                // It may have ended before it was written down.
                if (binding.IsCompleted)
                    _bindings.TryRemove(record.Uid, out _);
                break;
            case Verdict.Waits waits:
                await Refuse(queued, pod, record, waits);
                break;
        }
    }

    // Assumed first: the next pod's filter goes on while this Binding is under way.
    private void Assume(QueuedPod queued, PodRecord record, string node)
    {
        lock (_cluster.Gate)
        {
            _nominations.Remove(record.Uid);
            _cluster.Assume(record.On(node));
        }
        _queue.Binds(queued);
    }

    private async Task Bind(QueuedPod queued, V1Pod pod, PodRecord record, string node)
    {
        try
        {
            await Bind(pod, node);
            Placed(_log, record.Namespace, record.Name, node);
            await Tell(pod, record, new(record, Profile(pod), "Normal", "Scheduled", "Binding", $"Successfully assigned {record.Namespace}/{record.Name} to {node}"));
        }
        catch (Exception e) when (!_stop.IsCancellationRequested)
        {
            bool isStillOnItsWay;
            lock (_cluster.Gate)
            {
                isStillOnItsWay = _cluster.IsAssumed(record.Uid);
                if (isStillOnItsWay)
                    _cluster.Remove(record.Uid);
            }
            _queue.Happened(Happenings.PodGone);
            var words = Words(e);
            // The reply may be lost while the Binding was made: the watch has shown the pod on its node, and it stays there.
            if (isStillOnItsWay)
                await GiveUpForNow(queued, pod, words);
            else
                await Tell(pod, record, FailedScheduling(pod, record, words));
        }
        finally
        {
            _bindings.TryRemove(record.Uid, out _);
        }
    }

    private async Task Bind(V1Pod pod, string node)
    {
        foreach (var extender in _extenders.Where(e => e.Options.BindVerb is not null && e.IsInterested(pod)))
        {
            try
            {
                await extender.Bind(pod, node, _stop.Token);
                return;
            }
            catch (ExtenderException) when (extender.Options.Ignorable)
            {
                // The next one binds.
            }
        }
        try
        {
            await _options.Kubernetes.CoreV1.CreateNamespacedPodBindingWithHttpMessagesAsync(
                new V1Binding
                {
                    ApiVersion = "v1",
                    Kind = "Binding",
                    Metadata = new() { Name = pod.Metadata.Name, NamespaceProperty = pod.Metadata.NamespaceProperty, Uid = pod.Metadata.Uid },
                    Target = new() { ApiVersion = "v1", Kind = "Node", Name = node },
                },
                pod.Metadata.Name,
                pod.Metadata.NamespaceProperty,
                cancellationToken: _stop.Token);
        }
        catch (Exception e) when (e is HttpOperationException or HttpRequestException)
        {
            throw new InvalidOperationException($"running Bind plugin \"DefaultBinder\": {Words(e)}", e);
        }
    }

    private async Task Refuse(QueuedPod queued, V1Pod pod, PodRecord record, Verdict.Waits waits)
    {
        Refused(_log, record.Namespace, record.Name, waits.Sentence);
        if (waits.Nominated is { } nominated)
        {
            lock (_cluster.Gate)
                _nominations.Set(record, _queue.Knows(record.Uid) ? nominated : "");
        }
        // Back to the queue first: our own status patch is news for a pod that an extender refused, and tries it once more.
        if (waits.CuredBy is Happenings.None)
            _queue.Failed(queued);
        else
            _queue.Refused(queued, waits.CuredBy);
        await Explain(pod, record, Unfit, waits.Sentence, waits.Nominated);
        if (waits.Chosen is { } chosen)
            await MakeRoom(pod, record, chosen);
    }

    private async Task GiveUpForNow(QueuedPod queued, V1Pod pod, string sentence)
    {
        var record = queued.Record;
        TriesAgain(_log, record.Namespace, record.Name, sentence);
        lock (_cluster.Gate)
            _nominations.Remove(record.Uid);
        _queue.Failed(queued);
        await Explain(pod, record, Error, sentence, nominated: "");
    }

    private async Task Explain(V1Pod pod, PodRecord record, string reason, string sentence, string? nominated)
    {
        await Tell(pod, record, FailedScheduling(pod, record, sentence));
        var condition = new V1PodCondition
        {
            Type = "PodScheduled",
            Status = "False",
            Reason = reason,
            Message = sentence,
            ObservedGeneration = pod.Metadata.Generation,
        };
        await Patch(record, pod.Status, condition, nominated);
    }

    private async Task MakeRoom(V1Pod pod, PodRecord record, Candidate chosen)
    {
        IReadOnlyList<PodRecord> losing;
        lock (_cluster.Gate)
        {
            losing = _nominations.LesserTo(chosen.Node, record);
            foreach (var lesser in losing)
                _nominations.Remove(lesser.Uid);
        }
        foreach (var lesser in losing)
        {
            var clear = new V1Patch("""{"status":{"nominatedNodeName":null}}""", V1Patch.PatchType.StrategicMergePatch);
            await Call(lesser, () => _options.Kubernetes.CoreV1.PatchNamespacedPodStatusAsync(clear, lesser.Name, lesser.Namespace, cancellationToken: _stop.Token));
        }
        foreach (var victim in chosen.Victims.Where(v => !v.IsEnding))
            await Call(victim, () => Evict(pod, record, victim, chosen.Node));
    }

    private async Task Evict(V1Pod pod, PodRecord record, PodRecord victim, string node)
    {
        if (await Read(victim, _stop.Token) is not { } live)
            return;
        var condition = new V1PodCondition
        {
            Type = "DisruptionTarget",
            Status = "True",
            Reason = "PreemptionByScheduler",
            Message = $"{Profile(pod)}: preempting to accommodate a higher priority pod",
            ObservedGeneration = live.Metadata.Generation,
        };
        if (PodConditions.Patch(live.Status, condition, nominated: null, _options.Time.GetUtcNow()) is { } patch)
            await _options.Kubernetes.CoreV1.PatchNamespacedPodStatusAsync(patch, victim.Name, victim.Namespace, cancellationToken: _stop.Token);
        // By uid: another pod of the name is nobody's victim.
        await _options.Kubernetes.CoreV1.DeleteNamespacedPodAsync(
            victim.Name, victim.Namespace, new V1DeleteOptions { Preconditions = new() { Uid = victim.Uid } }, cancellationToken: _stop.Token);
        Preempted(_log, record.Namespace, record.Name, victim.Namespace, victim.Name, node);
        await _events.Write(
            new(victim, Profile(pod), "Normal", "Preempted", "Preempting", $"Preempted by pod {record.Uid} on node {node}", SchedulerEvents.Reference(record)), _stop.Token);
    }

    private async Task<V1Pod?> Read(PodRecord pod, CancellationToken cancellationToken)
    {
        try
        {
            var live = await _options.Kubernetes.CoreV1.ReadNamespacedPodAsync(pod.Name, pod.Namespace, cancellationToken: cancellationToken);
            return live.Metadata.Uid == pod.Uid ? live : null;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    private async Task Patch(PodRecord record, V1PodStatus? status, V1PodCondition condition, string? nominated)
    {
        if (PodConditions.Patch(status, condition, nominated, _options.Time.GetUtcNow()) is { } patch)
            await Call(record, () => _options.Kubernetes.CoreV1.PatchNamespacedPodStatusAsync(patch, record.Name, record.Namespace, cancellationToken: _stop.Token));
    }

    private static SchedulerEvents.About FailedScheduling(V1Pod pod, PodRecord record, string note) =>
        new(record, Profile(pod), "Warning", "FailedScheduling", "Scheduling", note);

    private async Task Tell(V1Pod pod, PodRecord record, SchedulerEvents.About about) => await Call(record, () => _events.Write(about, _stop.Token));

    // What we say about a pod is a courtesy; a server that does not take it must not stop the placing.
    private ValueTask Call(PodRecord pod, Func<Task> call) => _lanes.Add(
        pod.Uid,
        async () =>
        {
            try
            {
                await call();
            }
            catch (Exception e) when (!_stop.IsCancellationRequested)
            {
                var words = Words(e);
                NotTold(_log, pod.Namespace, pod.Name, words);
            }
        },
        _stop.Token);

    private static string Profile(V1Pod pod) => pod.Spec.SchedulerName ?? "default-scheduler";

    private static string Words(Exception e) => e is HttpOperationException { Response.Content: { } content } ? ServerWords(content) : e.Message;

    private static string ServerWords(string content)
    {
        try
        {
            return KubernetesJson.Deserialize<V1Status>(content).Message ?? content;
        }
        catch (System.Text.Json.JsonException)
        {
            return content;
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Namespace}/{Pod} goes to {Node}.")]
    private static partial void Placed(ILogger logger, string @namespace, string pod, string node);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Namespace}/{Pod} fits nowhere: {Sentence}")]
    private static partial void Refused(ILogger logger, string @namespace, string pod, string sentence);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Namespace}/{Pod} takes the place of {VictimNamespace}/{Victim} on {Node}.")]
    private static partial void Preempted(ILogger logger, string @namespace, string pod, string victimNamespace, string victim, string node);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Namespace}/{Pod} is tried again after its back-off: {Sentence}")]
    private static partial void TriesAgain(ILogger logger, string @namespace, string pod, string sentence);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The API server did not take what we said about {Namespace}/{Pod}: {Sentence}")]
    private static partial void NotTold(ILogger logger, string @namespace, string pod, string sentence);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The watch of {Kind} broke and is taken up again: {Sentence}")]
    private static partial void WatchBroke(ILogger logger, string kind, string sentence);

    [LoggerMessage(Level = LogLevel.Error, Message = "Placing {Namespace}/{Pod} failed in the scheduler itself.")]
    private static partial void CycleBroke(ILogger logger, string @namespace, string pod, Exception exception);
}
