using System.Collections.Concurrent;
using k8s.Models;

namespace Hami.Lab.Kubelet;

/// <summary>The pods this kubelet knows, by uid.</summary>
internal sealed class PodDirectory
{
    private readonly ConcurrentDictionary<string, PodWorker> _workers = new(StringComparer.Ordinal);

    public IReadOnlyList<PodWorker> All => [.. _workers.Values];

    /// <summary>Pods being admitted or admitted, and not ended: the ones that may hold devices. Queued ones are not among them.</summary>
    public IReadOnlyList<V1Pod> Active => [.. _workers.Values.Where(w => w.IsActive).OrderBy(w => w.Turn).Select(w => w.Pod)];

    public PodWorker? Find(string uid) => _workers.GetValueOrDefault(uid);

    /// <summary>The newest pod of this name; an older one may still be ending.</summary>
    public PodWorker? Find(string @namespace, string name) => _workers.Values
        .Where(w => w.Pod.Metadata.NamespaceProperty == @namespace && w.Pod.Metadata.Name == name)
        .MaxBy(w => w.Turn);

    public void Add(PodWorker worker) => _workers[worker.Pod.Metadata.Uid] = worker;

    public void Remove(string uid) => _workers.TryRemove(uid, out _);
}
