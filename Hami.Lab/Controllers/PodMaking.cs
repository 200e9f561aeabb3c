using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>Makes, deletes, adopts and releases the pods of a workload, in real controllers' words.</summary>
internal sealed class PodMaking(IKubernetes kubernetes, OwnedPods owned, ControllerEvents events, string source)
{
    /// <summary>Makes pods in batches that double while all goes well, so that a namespace that takes none is asked once, not five hundred times.</summary>
    /// <exception cref="HttpOperationException">The first refusal; its event is written.</exception>
    public async Task Create(Workload owner, IReadOnlyList<V1Pod> pods, CancellationToken cancellationToken)
    {
        var done = 0;
        for (var batch = 1; done < pods.Count; batch *= 2)
        {
            var now = pods.Skip(done).Take(batch).Select(p => Create(owner, p, cancellationToken)).ToList();
            done += now.Count;
            await Task.WhenAll(now);
        }
    }

    public async Task Delete(Workload owner, IEnumerable<V1Pod> pods, CancellationToken cancellationToken) =>
        await Task.WhenAll(pods.Select(p => Delete(owner, p, cancellationToken)));

    /// <summary>Takes a pod without an owner as one's own; false when it was too late for that.</summary>
    public async Task<bool> Adopt(Workload owner, V1Pod pod, CancellationToken cancellationToken)
    {
        var patch = new { metadata = new { uid = pod.Uid(), ownerReferences = new[] { owner.Reference } } };
        return await TryPatch(owner, pod, patch, cancellationToken);
    }

    public async Task<bool> Release(Workload owner, V1Pod pod, CancellationToken cancellationToken)
    {
        var patch = $$$"""{"metadata":{"uid":"{{{pod.Uid()}}}","ownerReferences":[{"$patch":"delete","uid":"{{{owner.Metadata.Uid}}}"}]}}""";
        return await TryPatch(owner, pod, patch, cancellationToken);
    }

    private async Task<bool> TryPatch(Workload owner, V1Pod pod, object patch, CancellationToken cancellationToken)
    {
        try
        {
            owned.Await(owner.Metadata.Uid, await kubernetes.CoreV1.PatchNamespacedPodAsync(
                new V1Patch(patch is string text ? text : KubernetesJson.Serialize(patch), V1Patch.PatchType.StrategicMergePatch),
                pod.Name(), pod.Namespace(), cancellationToken: cancellationToken));
            return true;
        }
        catch (HttpOperationException e) when (e.IsGone())
        {
            // Gone, or another pod of that name by now.
            return false;
        }
    }

    private async Task Create(Workload owner, V1Pod pod, CancellationToken cancellationToken)
    {
        try
        {
            var created = await kubernetes.CoreV1.CreateNamespacedPodAsync(pod, owner.Metadata.NamespaceProperty, cancellationToken: cancellationToken);
            owned.Await(owner.Metadata.Uid, created);
            events.Normal(source, owner.AsReference, "SuccessfulCreate", $"Created pod: {created.Name()}");
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            if (Refusals.IsUnclear(e))
                owned.Doubt(owner.Metadata.Uid);
            if (e is not HttpOperationException refused || !refused.NamespaceEnds())
                events.Warning(source, owner.AsReference, "FailedCreate", $"Error creating: {Refusals.Sentence(e)}");
            throw;
        }
    }

    private async Task Delete(Workload owner, V1Pod pod, CancellationToken cancellationToken)
    {
        try
        {
            owned.Await(owner.Metadata.Uid, await kubernetes.CoreV1.DeleteNamespacedPodAsync(
                pod.Name(), pod.Namespace(), new V1DeleteOptions { Preconditions = new() { Uid = pod.Uid() } }, cancellationToken: cancellationToken));
            events.Normal(source, owner.AsReference, "SuccessfulDelete", $"Deleted pod: {pod.Name()}");
        }
        catch (HttpOperationException e) when (e.IsGone())
        {
            // Gone already, as wanted.
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            if (Refusals.IsUnclear(e))
                owned.Doubt(owner.Metadata.Uid);
            events.Warning(source, owner.AsReference, "FailedDelete", $"Error deleting: {Refusals.Sentence(e)}");
            throw;
        }
    }
}

/// <summary>What a controller says of the object it works for.</summary>
internal sealed record Workload(string ApiVersion, string Kind, V1ObjectMeta Metadata)
{
    public V1OwnerReference Reference =>
        new() { ApiVersion = ApiVersion, Kind = Kind, Name = Metadata.Name, Uid = Metadata.Uid, Controller = true, BlockOwnerDeletion = true };

    public V1ObjectReference AsReference => new()
    {
        ApiVersion = ApiVersion, Kind = Kind, Name = Metadata.Name, NamespaceProperty = Metadata.NamespaceProperty, Uid = Metadata.Uid, ResourceVersion = Metadata.ResourceVersion,
    };

    /// <summary>A pod made from a template, named by the server.</summary>
    public V1Pod PodFrom(V1PodTemplateSpec template) => new()
    {
        ApiVersion = "v1",
        Kind = "Pod",
        Metadata = new()
        {
            GenerateName = $"{Metadata.Name}-",
            NamespaceProperty = Metadata.NamespaceProperty,
            Labels = Copy(template.Metadata?.Labels),
            Annotations = Copy(template.Metadata?.Annotations),
            Finalizers = template.Metadata?.Finalizers?.ToList(),
            OwnerReferences = [Reference],
        },
        Spec = template.Spec,
    };

    private static Dictionary<string, string>? Copy(IDictionary<string, string>? map) => map is null ? null : new(map, StringComparer.Ordinal);
}
