using System.Globalization;
using Hami.Lab.Kubelet;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>Rolls each Deployment from its old ReplicaSets to the one its template asks for.</summary>
/// <remarks>Reads the deployment and its sets from the server every time: they are few, and nothing then depends on how old a cache is.</remarks>
internal sealed class Deployments
{
    private const string Source = "deployment-controller";
    private readonly IKubernetes _kubernetes;
    private readonly Informer<V1Deployment> _deployments;
    private readonly Informer<V1Pod> _pods;
    private readonly ControllerEvents _events;
    private readonly TimeProvider _time;

    public Deployments(
        LabControllersOptions options, Informer<V1Deployment> deployments, Informer<V1ReplicaSet> sets, Informer<V1Pod> pods, ControllerEvents events)
    {
        (_kubernetes, _deployments, _pods, _events, _time) = (options.Kubernetes, deployments, pods, events, options.Time);
        Queue = new(options.Time);
        deployments.OnChange(c => Queue.Add(Informer<V1Deployment>.Key((c.Now ?? c.Before)!)));
        sets.OnChange(Take);
        // Recreate waits for the last old pod to be gone.
        pods.OnChange(c =>
        {
            if (c.Now is null && c.Before!.GetController() is { Kind: "ReplicaSet" } set && sets.Find(Keys.Of(c.Before!.Namespace(), set.Name))?.GetController() is { Kind: "Deployment" } owner)
                Queue.Add(Keys.Of(c.Before!.Namespace(), owner.Name));
        });
    }

    public WorkQueue Queue { get; }

    public async Task Look(string key, CancellationToken cancellationToken)
    {
        var (@namespace, name) = Keys.Split(key);
        if (_deployments.Find(key) is null)
            return;
        V1Deployment deployment;
        try
        {
            deployment = await _kubernetes.AppsV1.ReadNamespacedDeploymentAsync(name, @namespace, cancellationToken: cancellationToken);
        }
        catch (HttpOperationException e) when (e.IsNotFound())
        {
            return;
        }
        var rollout = new Rollout(deployment, await Sets(deployment, cancellationToken));
        if (deployment.Metadata.DeletionTimestamp is not null)
        {
            await WriteStatus(rollout, cancellationToken);
            return;
        }
        if (deployment.Spec.Paused is true || rollout.IsScaling)
        {
            await Rescale(rollout, cancellationToken);
            await WriteStatus(rollout, cancellationToken);
            return;
        }
        try
        {
            await Roll(rollout, cancellationToken);
        }
        catch (HttpOperationException e) when (e.NamespaceEnds())
        {
            return;
        }
        await WriteStatus(rollout, cancellationToken);
    }

    private void Take(Change<V1ReplicaSet> change)
    {
        foreach (var set in new[] { change.Before, change.Now }.OfType<V1ReplicaSet>())
        {
            if (set.GetController() is { Kind: "Deployment" } owner)
                Queue.Add(Keys.Of(set.Namespace(), owner.Name));
            else if (set.GetController() is null && change.Now is not null)
            {
                foreach (var deployment in _deployments.All.Where(d => d.Namespace() == set.Namespace() && d.Spec.Selector.Matches(set.Metadata.Labels)))
                    Queue.Add(Informer<V1Deployment>.Key(deployment));
            }
        }
    }

    private async Task<List<V1ReplicaSet>> Sets(V1Deployment deployment, CancellationToken cancellationToken)
    {
        var owner = Owner(deployment);
        var all = await _kubernetes.AppsV1.ListNamespacedReplicaSetAsync(deployment.Namespace(), cancellationToken: cancellationToken);
        var own = new List<V1ReplicaSet>();
        foreach (var set in all.Items)
        {
            var matches = deployment.Spec.Selector.Matches(set.Metadata.Labels);
            if (set.GetController()?.Uid == deployment.Uid())
            {
                if (matches || set.Metadata.DeletionTimestamp is not null)
                    own.Add(set);
                else
                    await Patch(set, $$$"""{"metadata":{"uid":"{{{set.Uid()}}}","ownerReferences":[{"$patch":"delete","uid":"{{{deployment.Uid()}}}"}]}}""", cancellationToken);
            }
            else if (set.GetController() is null && matches && set.Metadata.DeletionTimestamp is null && deployment.Metadata.DeletionTimestamp is null)
            {
                own.Add(await Patch(set, KubernetesJson.Serialize(new { metadata = new { uid = set.Uid(), ownerReferences = new[] { owner.Reference } } }), cancellationToken));
            }
        }
        return own;
    }

    private Task<V1ReplicaSet> Patch(V1ReplicaSet set, string patch, CancellationToken cancellationToken) => _kubernetes.AppsV1.PatchNamespacedReplicaSetAsync(
        new V1Patch(patch, V1Patch.PatchType.StrategicMergePatch), set.Name(), set.Namespace(), cancellationToken: cancellationToken);

    private async Task Roll(Rollout rollout, CancellationToken cancellationToken)
    {
        if (rollout.Recreates)
        {
            var scaledDown = false;
            foreach (var old in rollout.Old.Where(s => s.Spec.Replicas > 0).ToList())
            {
                await Scale(rollout, old, 0, cancellationToken);
                scaledDown = true;
            }
            if (scaledDown || OldPodsRun(rollout))
                return;
        }
        await UseNewSet(rollout, cancellationToken);
        if (rollout.New is null)
            return;
        if (rollout.Recreates)
        {
            await Scale(rollout, rollout.New, rollout.Wanted, cancellationToken);
        }
        else if (rollout.NewReplicas() is var wanted && wanted != rollout.New.Spec.Replicas)
        {
            await Scale(rollout, rollout.New, wanted, cancellationToken);
        }
        else
        {
            foreach (var (set, replicas) in rollout.OldReplicas())
                await Scale(rollout, set, replicas, cancellationToken);
        }
        if (rollout.IsComplete(rollout.Status(_time.GetUtcNow())))
            await CleanUp(rollout, cancellationToken);
    }

    // A pod that fails to be gone is a pod that may still use what the new one needs.
    private bool OldPodsRun(Rollout rollout)
    {
        var old = rollout.Old.Select(s => s.Uid()).ToHashSet(StringComparer.Ordinal);
        return _pods.All.Any(p => p.GetController() is { } owner && old.Contains(owner.Uid) && !p.IsFinished());
    }

    private async Task UseNewSet(Rollout rollout, CancellationToken cancellationToken)
    {
        var deployment = rollout.Deployment;
        var revision = (rollout.Old.Select(Rollout.RevisionOf).DefaultIfEmpty().Max() + 1).ToString(CultureInfo.InvariantCulture);
        if (rollout.New is { } existing)
        {
            var annotations = rollout.AnnotationsOfNew(existing, revision);
            if (annotations is not null || existing.Spec.MinReadySeconds != deployment.Spec.MinReadySeconds)
            {
                existing.Metadata.Annotations = annotations ?? existing.Metadata.Annotations;
                existing.Spec.MinReadySeconds = deployment.Spec.MinReadySeconds;
                rollout.Replace(await _kubernetes.AppsV1.ReplaceNamespacedReplicaSetAsync(existing, existing.Name(), existing.Namespace(), cancellationToken: cancellationToken));
            }
            if (rollout.Progressing is null)
                rollout.SetProgressing("True", "FoundNewReplicaSet", $"Found new replica set \"{existing.Name()}\"", _time.GetUtcNow());
        }
        else
        {
            await MakeNewSet(rollout, revision, cancellationToken);
        }
        rollout.Revision = rollout.New is { } set ? Rollout.RevisionOf(set).ToString(CultureInfo.InvariantCulture) : rollout.Revision;
    }

    private async Task MakeNewSet(Rollout rollout, string revision, CancellationToken cancellationToken)
    {
        var deployment = rollout.Deployment;
        var owner = Owner(deployment);
        var wanted = rollout.Make(owner.Reference, revision);
        try
        {
            var made = await _kubernetes.AppsV1.CreateNamespacedReplicaSetAsync(wanted, deployment.Namespace(), cancellationToken: cancellationToken);
            rollout.Add(made);
            if (made.Spec.Replicas > 0)
                _events.Normal(Source, owner.AsReference, "ScalingReplicaSet", $"Scaled up replica set {made.Name()} from 0 to {made.Spec.Replicas}");
            rollout.SetProgressing("True", "NewReplicaSetCreated", $"Created new replica set \"{made.Name()}\"", _time.GetUtcNow());
        }
        catch (HttpOperationException e) when (e.IsAlreadyThere())
        {
            var there = await _kubernetes.AppsV1.ReadNamespacedReplicaSetAsync(wanted.Name(), deployment.Namespace(), cancellationToken: cancellationToken);
            if (there.GetController()?.Uid == deployment.Uid() && TemplateHash.Same(there.Spec.Template, deployment.Spec.Template))
            {
                rollout.Add(there);
                return;
            }
            // Two templates with one hash, or somebody else's set: another name is tried.
            rollout.Collisions = (deployment.Status?.CollisionCount ?? 0) + 1;
            await WriteStatus(rollout, cancellationToken);
            throw;
        }
        catch (HttpOperationException e) when (!e.NamespaceEnds())
        {
            _events.Warning(Source, owner.AsReference, "ReplicaSetCreateError", $"Failed to create new replica set \"{wanted.Name()}\": {Refusals.Sentence(e)}");
            rollout.SetProgressing("False", "ReplicaSetCreateError", $"Failed to create new replica set \"{wanted.Name()}\": {Refusals.Sentence(e)}", _time.GetUtcNow());
            await WriteStatus(rollout, cancellationToken);
            throw;
        }
    }

    private async Task Rescale(Rollout rollout, CancellationToken cancellationToken)
    {
        foreach (var (set, replicas) in rollout.Proportions())
            await Scale(rollout, set, replicas, cancellationToken);
    }

    private async Task Scale(Rollout rollout, V1ReplicaSet set, int replicas, CancellationToken cancellationToken)
    {
        var before = set.Spec.Replicas ?? 1;
        var annotations = rollout.AnnotationsOfScale(set);
        if (before == replicas && annotations is null)
            return;
        set.Spec.Replicas = replicas;
        set.Metadata.Annotations = annotations ?? set.Metadata.Annotations;
        rollout.Replace(await _kubernetes.AppsV1.ReplaceNamespacedReplicaSetAsync(set, set.Name(), set.Namespace(), cancellationToken: cancellationToken));
        if (before != replicas)
        {
            _events.Normal(Source, Owner(rollout.Deployment).AsReference, "ScalingReplicaSet",
                $"Scaled {(replicas > before ? "up" : "down")} replica set {set.Name()} from {before} to {replicas}");
        }
    }

    private async Task CleanUp(Rollout rollout, CancellationToken cancellationToken)
    {
        foreach (var old in rollout.Forgettable())
        {
            await _kubernetes.AppsV1.DeleteNamespacedReplicaSetAsync(
                old.Name(), old.Namespace(), new V1DeleteOptions { PropagationPolicy = "Background", Preconditions = new() { Uid = old.Uid() } }, cancellationToken: cancellationToken);
        }
    }

    private async Task WriteStatus(Rollout rollout, CancellationToken cancellationToken)
    {
        var deployment = rollout.Deployment;
        var now = _time.GetUtcNow();
        var status = rollout.Status(now);
        rollout.Judge(status, now);
        var revised = rollout.Revision is not null && rollout.Revision != RevisionIn(deployment);
        if (!revised && KubernetesJson.Serialize(status) == KubernetesJson.Serialize(deployment.Status))
        {
            if (rollout.UntilDeadline(now) is { } left)
                Queue.AddAfter(Informer<V1Deployment>.Key(deployment), left + TimeSpan.FromSeconds(1));
            return;
        }
        deployment.Status = status;
        if (rollout.Revision is not null)
        {
            deployment.Metadata.Annotations ??= new Dictionary<string, string>(StringComparer.Ordinal);
            deployment.Metadata.Annotations[Rollout.RevisionAnnotation] = rollout.Revision;
        }
        await _kubernetes.AppsV1.ReplaceNamespacedDeploymentStatusAsync(deployment, deployment.Name(), deployment.Namespace(), cancellationToken: cancellationToken);
    }

    private static string? RevisionIn(V1Deployment deployment) =>
        deployment.Metadata.Annotations?.TryGetValue(Rollout.RevisionAnnotation, out var revision) is true ? revision : null;

    private static Workload Owner(V1Deployment deployment) => new("apps/v1", "Deployment", deployment.Metadata);
}
