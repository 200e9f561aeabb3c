using Hami.Api.Plumbing.Kubernetes;
using Hami.Lab.ApiServer;
using Hami.Lab.Kubelet;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>Deletes what has lost its last owner, and lets owners go that wait for their dependents, or are to be parted from them.</summary>
internal sealed class GarbageCollector
{
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(500);
    private readonly IKubernetes _kubernetes;
    private readonly Dictionary<string, Node> _byUid = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<string>> _dependents = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private Action<Resource, V1ObjectMeta> _gone = (_, _) => { };

    /// <summary>Nothing is asked before its informers run.</summary>
    /// <param name="pods">Watched for others too; of all other kinds only the metadata are read.</param>
    public GarbageCollector(LabControllersOptions options, Informer<V1Pod> pods, Action<Exception> broken)
    {
        _kubernetes = options.Kubernetes;
        Queue = new(options.Time);
        // Events have no owners, and there are many of them.
        Informers = [.. Resources.All.Where(r => r.StoredAs is null && r.Plural is not ("events" or "leases" or "pods")).Select(r => Watch(r, options, broken))];
        pods.OnChange(c => Take(Resources.Pods, new(Bare(c.Before), Bare(c.Now))));
    }

    public IInformer[] Informers { get; }

    public WorkQueue Queue { get; }

    /// <summary>Calls back when an object of any watched kind is no more. Set before anything runs; must be quick.</summary>
    public void OnGone(Action<Resource, V1ObjectMeta> gone) => _gone = gone;

    private sealed record Node(Resource Resource, V1ObjectMeta Metadata);

    public async Task Look(string uid, CancellationToken cancellationToken)
    {
        Node? node;
        lock (_lock)
            node = _byUid.GetValueOrDefault(uid);
        if (node is null)
            return;
        try
        {
            if (node.Metadata.DeletionTimestamp is not null)
                await Finish(node, cancellationToken);
            else if (node.Metadata.OwnerReferences is { Count: > 0 })
                await Collect(node, cancellationToken);
        }
        catch (HttpOperationException e) when (e.IsNotFound())
        {
            // Gone already, as wanted.
        }
        catch (HttpOperationException e) when (e.IsConflict())
        {
            Queue.AddAfter(uid, Soon);
        }
    }

    private Informer<Thing> Watch(Resource resource, LabControllersOptions options, Action<Exception> broken)
    {
        var client = Client(resource);
        var informer = new Informer<Thing>(
            async ct => await client.ListAsync<ThingList>(cancel: ct),
            (version, ct) => WatchStream.Of<Thing>(_kubernetes, $"{(resource.Group.Length == 0 ? "api" : $"apis/{resource.Group}")}/{resource.Version}/{resource.Plural}", version, ct),
            options.Time,
            broken,
            thing => new() { Metadata = thing.Metadata with { ManagedFields = null, Annotations = null, Labels = null } });
        informer.OnChange(c => Take(resource, c));
        return informer;
    }

    private static Thing? Bare(V1Pod? pod) => pod is null ? null : new() { Metadata = pod.Metadata };

    private void Take(Resource resource, Change<Thing> change)
    {
        var touched = new List<string>();
        lock (_lock)
        {
            if (change.Before is { } before)
            {
                foreach (var owner in before.Metadata.OwnerReferences ?? [])
                {
                    if (_dependents.TryGetValue(owner.Uid, out var others) && others.Remove(before.Uid()) && others.Count == 0)
                        _dependents.Remove(owner.Uid);
                    // An owner may have waited for just this one.
                    touched.Add(owner.Uid);
                }
            }
            if (change.Now is { } now)
            {
                _byUid[now.Uid()] = new(resource, now.Metadata);
                touched.Add(now.Uid());
                foreach (var owner in now.Metadata.OwnerReferences ?? [])
                {
                    if (!_dependents.TryGetValue(owner.Uid, out var others))
                        _dependents[owner.Uid] = others = new(StringComparer.Ordinal);
                    others.Add(now.Uid());
                }
                if (now.Metadata.DeletionTimestamp is not null)
                    touched.AddRange(_dependents.GetValueOrDefault(now.Uid()) ?? []);
            }
            else
            {
                var gone = change.Before!.Uid();
                _byUid.Remove(gone);
                touched.AddRange(_dependents.GetValueOrDefault(gone) ?? []);
            }
        }
        foreach (var uid in touched)
            Queue.Add(uid);
        if (change.Now is null)
            _gone(resource, change.Before!.Metadata);
    }

    private async Task Collect(Node node, CancellationToken cancellationToken)
    {
        var (solid, dangling, waiting) = (new List<V1OwnerReference>(), new List<V1OwnerReference>(), new List<V1OwnerReference>());
        foreach (var reference in node.Metadata.OwnerReferences)
        {
            var owner = await Owner(node, reference, cancellationToken);
            if (owner is null)
                dangling.Add(reference);
            else if (owner.DeletionTimestamp is not null && owner.Finalizers?.Contains(Cascade.Foreground) is true)
                waiting.Add(reference);
            else
                solid.Add(reference);
        }
        if (solid.Count > 0)
        {
            if (dangling.Count + waiting.Count > 0)
                await Part(node, dangling.Concat(waiting).Select(r => r.Uid), cancellationToken);
            return;
        }
        // While an owner waits, those who hold this one up are waited for too.
        var policy = waiting.Count > 0 && Dependents(node.Metadata.Uid).Any(d => Holds(d, node.Metadata.Uid)) ? "Foreground"
            : node.Metadata.Finalizers?.Contains(Cascade.Orphan) is true ? "Orphan"
            : node.Metadata.Finalizers?.Contains(Cascade.Foreground) is true ? "Foreground"
            : "Background";
        await Delete(node, policy, cancellationToken);
    }

    private async Task Finish(Node node, CancellationToken cancellationToken)
    {
        var finalizers = node.Metadata.Finalizers ?? [];
        if (finalizers.Contains(Cascade.Orphan))
        {
            foreach (var dependent in Dependents(node.Metadata.Uid))
            {
                try
                {
                    await Part(dependent, [node.Metadata.Uid], cancellationToken);
                }
                catch (HttpOperationException e) when (e.IsNotFound())
                {
                    // One fewer to part from.
                }
            }
            await Unhold(node, Cascade.Orphan, cancellationToken);
        }
        else if (finalizers.Contains(Cascade.Foreground))
        {
            var dependents = Dependents(node.Metadata.Uid);
            foreach (var dependent in dependents)
                Queue.Add(dependent.Metadata.Uid);
            if (!dependents.Any(d => Holds(d, node.Metadata.Uid)))
                await Unhold(node, Cascade.Foreground, cancellationToken);
        }
    }

    /// <summary>The owner a reference means, null when there is none. The graph may be behind, so an absence is asked for.</summary>
    private async Task<V1ObjectMeta?> Owner(Node dependent, V1OwnerReference reference, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_byUid.TryGetValue(reference.Uid, out var known))
                return known.Metadata;
        }
        var parts = reference.ApiVersion.Split('/');
        var (group, version) = parts.Length == 2 ? (parts[0], parts[1]) : ("", parts[0]);
        // What this cluster does not know cannot be known to be gone.
        if (Array.Find(Resources.All, r => r.Group == group && r.Version == version && r.Kind == reference.Kind) is not { } resource)
            return new V1ObjectMeta();
        // An object of the cluster that names an owner in a namespace names nobody one could look for.
        if (resource.Namespaced && string.IsNullOrEmpty(dependent.Metadata.NamespaceProperty))
            return new V1ObjectMeta();
        try
        {
            var client = Client(resource);
            var found = resource.Namespaced
                ? await client.ReadNamespacedAsync<Thing>(dependent.Metadata.NamespaceProperty, reference.Name, cancellationToken)
                : await client.ReadAsync<Thing>(reference.Name, cancellationToken);
            return found.Uid() == reference.Uid ? found.Metadata : null;
        }
        catch (HttpOperationException e) when (e.IsNotFound())
        {
            return null;
        }
    }

    private List<Node> Dependents(string uid)
    {
        lock (_lock)
            return (_dependents.GetValueOrDefault(uid) ?? []).Select(_byUid.GetValueOrDefault).OfType<Node>().ToList();
    }

    private static bool Holds(Node dependent, string owner) => dependent.Metadata.OwnerReferences.Any(r => r.Uid == owner && r.BlockOwnerDeletion is true);

    private Task<object> Delete(Node node, string policy, CancellationToken cancellationToken)
    {
        var options = new V1DeleteOptions { PropagationPolicy = policy, Preconditions = new() { Uid = node.Metadata.Uid } };
        var (r, m) = (node.Resource, node.Metadata);
        return r.Namespaced
            ? _kubernetes.CustomObjects.DeleteNamespacedCustomObjectAsync(r.Group, r.Version, m.NamespaceProperty, r.Plural, m.Name, options, cancellationToken: cancellationToken)
            : _kubernetes.CustomObjects.DeleteClusterCustomObjectAsync(r.Group, r.Version, r.Plural, m.Name, options, cancellationToken: cancellationToken);
    }

    private Task<object> Part(Node node, IEnumerable<string> owners, CancellationToken cancellationToken)
    {
        var left = node.Metadata.OwnerReferences.Where(r => !owners.Contains(r.Uid)).ToList();
        return Patch(node, new { metadata = new { uid = node.Metadata.Uid, resourceVersion = node.Metadata.ResourceVersion, ownerReferences = left } }, cancellationToken);
    }

    private Task<object> Unhold(Node node, string finalizer, CancellationToken cancellationToken)
    {
        var left = node.Metadata.Finalizers.Where(f => f != finalizer).ToList();
        return Patch(node, new { metadata = new { uid = node.Metadata.Uid, resourceVersion = node.Metadata.ResourceVersion, finalizers = left } }, cancellationToken);
    }

    private Task<object> Patch(Node node, object patch, CancellationToken cancellationToken)
    {
        var body = new V1Patch(KubernetesJson.Serialize(patch), V1Patch.PatchType.MergePatch);
        var (r, m) = (node.Resource, node.Metadata);
        return r.Namespaced
            ? _kubernetes.CustomObjects.PatchNamespacedCustomObjectAsync(body, r.Group, r.Version, m.NamespaceProperty, r.Plural, m.Name, cancellationToken: cancellationToken)
            : _kubernetes.CustomObjects.PatchClusterCustomObjectAsync(body, r.Group, r.Version, r.Plural, m.Name, cancellationToken: cancellationToken);
    }

    private GenericClient Client(Resource resource) => new(_kubernetes, resource.Group, resource.Version, resource.Plural, disposeClient: false);
}

/// <summary>An object of any kind, of which only the metadata is kept.</summary>
internal sealed class Thing : IKubernetesObject<V1ObjectMeta>
{
    public string ApiVersion { get; set; } = "";

    public string Kind { get; set; } = "";

    public V1ObjectMeta Metadata { get; set; } = new();
}

internal sealed class ThingList : IKubernetesObject<V1ListMeta>, IItems<Thing>
{
    public string ApiVersion { get; set; } = "";

    public string Kind { get; set; } = "";

    public V1ListMeta Metadata { get; set; } = new();

    public IList<Thing> Items { get; set; } = [];
}
