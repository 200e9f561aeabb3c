using Hami.Lab.Kubelet;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>Keeps as many pods as each ReplicaSet asks for.</summary>
internal sealed class ReplicaSets
{
    private const int MostAtOnce = 500;
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(200);
    private readonly IKubernetes _kubernetes;
    private readonly Informer<V1ReplicaSet> _sets;
    private readonly OwnedPods _owned;
    private readonly PodMaking _making;
    private readonly TimeProvider _time;

    public ReplicaSets(LabControllersOptions options, Informer<V1ReplicaSet> sets, Informer<V1Pod> pods, OwnedPods owned, ControllerEvents events)
    {
        (_kubernetes, _sets, _owned, _time) = (options.Kubernetes, sets, owned, options.Time);
        _making = new(options.Kubernetes, owned, events, "replicaset-controller");
        Queue = new(options.Time);
        sets.OnChange(c => Queue.Add(Informer<V1ReplicaSet>.Key((c.Now ?? c.Before)!)));
        pods.OnChange(Take);
    }

    public WorkQueue Queue { get; }

    public async Task Look(string key, CancellationToken cancellationToken)
    {
        if (_sets.Find(key) is not { } set)
            return;
        var owner = new Workload("apps/v1", "ReplicaSet", set.Metadata);
        if (await _owned.Of(set.Metadata, cancellationToken) is not { } pods)
        {
            // Its own last doings are not in yet; their arrival asks again, and so does this, should a watch have broken.
            Queue.AddAfter(key, Soon);
            return;
        }
        var active = await Claimed(owner, set, pods.Where(p => !p.IsFinished()).ToList(), cancellationToken);
        var terminating = active.Count(p => p.Metadata.DeletionTimestamp is not null);
        active.RemoveAll(p => p.Metadata.DeletionTimestamp is not null);
        Exception? failure = null;
        if (set.Metadata.DeletionTimestamp is null)
            failure = await Manage(owner, set, active, cancellationToken);
        await WriteStatus(set, active, terminating, failure, cancellationToken);
        if (failure is not null)
            throw failure;
        var later = active.Select(p => p.UntilAvailable(set.Spec.MinReadySeconds, _time.GetUtcNow())).OfType<TimeSpan>().Where(t => t > TimeSpan.Zero).ToList();
        if (later.Count > 0)
            Queue.AddAfter(key, later.Min());
    }

    // A pod that changes hands concerns both of its owners, one that nobody owns all who would take it.
    private void Take(Change<V1Pod> change)
    {
        foreach (var pod in new[] { change.Before, change.Now }.OfType<V1Pod>())
        {
            if (pod.GetController() is { } owner)
            {
                if (owner.Kind is "ReplicaSet")
                    Queue.Add(Keys.Of(pod.Namespace(), owner.Name));
            }
            else if (change.Now is not null)
            {
                foreach (var set in _sets.All.Where(s => s.Namespace() == pod.Namespace() && s.Spec.Selector.Matches(pod.Metadata.Labels)))
                    Queue.Add(Informer<V1ReplicaSet>.Key(set));
            }
        }
    }

    private async Task<List<V1Pod>> Claimed(Workload owner, V1ReplicaSet set, List<V1Pod> own, CancellationToken cancellationToken)
    {
        foreach (var lost in own.Where(p => !set.Spec.Selector.Matches(p.Metadata.Labels)).ToList())
        {
            own.Remove(lost);
            if (lost.Metadata.DeletionTimestamp is null)
                await _making.Release(owner, lost, cancellationToken);
        }
        if (set.Metadata.DeletionTimestamp is not null)
            return own;
        foreach (var orphan in _owned.Orphans(set.Namespace()).Where(p => p.IsActive() && set.Spec.Selector.Matches(p.Metadata.Labels)))
        {
            // The cache may be behind a deletion; nobody adopts for a set that is gone.
            var now = await _kubernetes.AppsV1.ReadNamespacedReplicaSetAsync(set.Name(), set.Namespace(), cancellationToken: cancellationToken);
            if (now.Uid() != set.Uid() || now.Metadata.DeletionTimestamp is not null)
                break;
            if (await _making.Adopt(owner, orphan, cancellationToken))
                own.Add(orphan);
        }
        return own;
    }

    private async Task<Exception?> Manage(Workload owner, V1ReplicaSet set, List<V1Pod> active, CancellationToken cancellationToken)
    {
        var missing = (set.Spec.Replicas ?? 1) - active.Count;
        try
        {
            if (missing > 0)
                await _making.Create(owner, Enumerable.Range(0, Math.Min(missing, MostAtOnce)).Select(_ => owner.PodFrom(set.Spec.Template)).ToList(), cancellationToken);
            else if (missing < 0)
                await _making.Delete(owner, active.LeastUsefulFirst().Take(Math.Min(-missing, MostAtOnce)), cancellationToken);
            return null;
        }
        catch (HttpOperationException e) when (e.NamespaceEnds())
        {
            return null;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            return e;
        }
    }

    private async Task WriteStatus(V1ReplicaSet set, List<V1Pod> active, int terminating, Exception? failure, CancellationToken cancellationToken)
    {
        var now = _time.GetUtcNow();
        var template = new V1LabelSelector { MatchLabels = set.Spec.Template.Metadata?.Labels };
        var available = active.Count(p => p.UntilAvailable(set.Spec.MinReadySeconds, now) == TimeSpan.Zero);
        var status = new V1ReplicaSetStatus
        {
            Replicas = active.Count,
            FullyLabeledReplicas = GoWriting.OrNull(active.Count(p => template.Matches(p.Metadata.Labels))),
            ReadyReplicas = GoWriting.OrNull(active.Count(p => p.IsReady())),
            AvailableReplicas = GoWriting.OrNull(available),
            TerminatingReplicas = terminating,
            ObservedGeneration = set.Metadata.Generation,
            Conditions = Conditions(set, active.Count, failure, now),
        };
        if (KubernetesJson.Serialize(status) == KubernetesJson.Serialize(set.Status))
            return;
        // The cached set is shared: the status goes to a copy.
        var changed = KubernetesJson.Deserialize<V1ReplicaSet>(KubernetesJson.Serialize(set));
        changed.Status = status;
        await _kubernetes.AppsV1.ReplaceNamespacedReplicaSetStatusAsync(changed, set.Name(), set.Namespace(), cancellationToken: cancellationToken);
    }

    private static List<V1ReplicaSetCondition>? Conditions(V1ReplicaSet set, int count, Exception? failure, DateTimeOffset now)
    {
        var old = set.Status?.Conditions?.FirstOrDefault(c => c.Type is "ReplicaFailure");
        if (failure is null)
            return null;
        var reason = count < set.Spec.Replicas ? "FailedCreate" : "FailedDelete";
        return old?.Reason == reason
            ? [old]
            : [new() { Type = "ReplicaFailure", Status = "True", Reason = reason, Message = Refusals.Sentence(failure), LastTransitionTime = now.Stamp() }];
    }
}
