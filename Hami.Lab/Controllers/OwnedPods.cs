using System.Collections.Concurrent;
using Hami.Lab.Kubelet;
using k8s;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>Which pods belong to whom, and whether that is already the whole truth for an owner that has just made or deleted some.</summary>
/// <remarks>
/// An owner that counts its pods must have seen what it did itself. Here it waits until the watch has reached the revision of its own last
/// write; after a write whose reply was lost it reads the pods anew. Real controllers count expected additions and deletions instead, and make
/// one pod too many when a reply is lost.
/// </remarks>
internal sealed class OwnedPods
{
    private readonly Dictionary<string, HashSet<string>> _byOwner = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<string>> _orphans = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, long> _awaited = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _unclear = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private readonly Informer<V1Pod> _pods;
    private readonly IKubernetes _kubernetes;

    public OwnedPods(Informer<V1Pod> pods, IKubernetes kubernetes)
    {
        (_pods, _kubernetes) = (pods, kubernetes);
        pods.OnChange(Take);
    }

    /// <summary>The pods of an owner; null while the watch has not reached what the owner last did.</summary>
    public async Task<List<V1Pod>?> Of(V1ObjectMeta owner, CancellationToken cancellationToken)
    {
        if (_unclear.ContainsKey(owner.Uid))
        {
            var all = await _kubernetes.CoreV1.ListNamespacedPodAsync(owner.NamespaceProperty, cancellationToken: cancellationToken);
            var own = all.Items.Where(p => p.GetController()?.Uid == owner.Uid).ToList();
            foreach (var pod in own)
                Await(owner.Uid, pod);
            _unclear.TryRemove(owner.Uid, out _);
            return own;
        }
        if (_awaited.TryGetValue(owner.Uid, out var revision))
        {
            if (_pods.Revision < revision)
                return null;
            _awaited.TryRemove(new(owner.Uid, revision));
        }
        lock (_lock)
        {
            return Known(_byOwner.GetValueOrDefault(owner.Uid)).Where(p => p.GetController()?.Uid == owner.Uid).ToList();
        }
    }

    /// <summary>Pods of a namespace that nobody controls.</summary>
    public List<V1Pod> Orphans(string @namespace)
    {
        lock (_lock)
            return Known(_orphans.GetValueOrDefault(@namespace)).Where(p => p.GetController() is null).ToList();
    }

    /// <summary>The owner has just written this version of a pod of its own.</summary>
    public void Await(string owner, V1Pod written)
    {
        if (long.TryParse(written.ResourceVersion(), out var revision))
            _awaited.AddOrUpdate(owner, revision, (_, known) => Math.Max(known, revision));
    }

    /// <summary>The owner does not know whether its last write happened.</summary>
    public void Doubt(string owner) => _unclear[owner] = true;

    private IEnumerable<V1Pod> Known(HashSet<string>? keys) => (keys ?? []).Select(_pods.Find).OfType<V1Pod>();

    private void Take(Change<V1Pod> change)
    {
        lock (_lock)
        {
            if (change.Before is { } before)
                Remove(before);
            if (change.Now is { } now)
                Shelf(now).Add(Informer<V1Pod>.Key(now));
            else if (_pods.Find(Informer<V1Pod>.Key(change.Before!)) is { } newer)
                Shelf(newer).Add(Informer<V1Pod>.Key(newer));
        }
    }

    private HashSet<string> Shelf(V1Pod pod)
    {
        var (shelves, name) = Place(pod);
        if (!shelves.TryGetValue(name, out var shelf))
            shelves[name] = shelf = new(StringComparer.Ordinal);
        return shelf;
    }

    private void Remove(V1Pod pod)
    {
        var (shelves, name) = Place(pod);
        if (shelves.TryGetValue(name, out var shelf) && shelf.Remove(Informer<V1Pod>.Key(pod)) && shelf.Count == 0)
            shelves.Remove(name);
    }

    private (Dictionary<string, HashSet<string>> Shelves, string Name) Place(V1Pod pod) =>
        pod.GetController() is { } owner ? (_byOwner, owner.Uid) : (_orphans, pod.Namespace());
}
