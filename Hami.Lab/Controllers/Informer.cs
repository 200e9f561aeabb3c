using System.Collections.Concurrent;
using System.Globalization;
using Hami.Lab.Kubelet;
using k8s;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>All objects of one kind as they were a moment ago, and who wants to hear of their changes.</summary>
internal sealed class Informer<T> : IInformer
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private readonly ConcurrentDictionary<string, T> _objects = new(StringComparer.Ordinal);
    private readonly List<Action<Change<T>>> _handlers = [];
    private readonly TaskCompletionSource _listed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Mirror<T> _mirror;
    private long _listing;
    private long _revision;

    /// <summary>Nothing is asked before <see cref="Run"/>.</summary>
    /// <param name="slim">A copy without what no controller looks at; there may be ten thousand of them.</param>
    public Informer(
        Func<CancellationToken, Task<IItems<T>>> list,
        Func<string?, CancellationToken, IAsyncEnumerable<(WatchEventType Type, T Object)>> watch,
        TimeProvider time,
        Action<Exception> broken,
        Func<T, T>? slim = null)
    {
        _mirror = new(
            async ct =>
            {
                var items = await list(ct);
                _listing = Number((items as IMetadata<V1ListMeta>)?.Metadata?.ResourceVersion);
                return items;
            },
            watch,
            time,
            broken,
            slim);
    }

    public Task Listed => _listed.Task;

    /// <summary>The newest revision of this kind that is in here.</summary>
    public long Revision => Volatile.Read(ref _revision);

    public ICollection<T> All => _objects.Values;

    public T? Find(string key) => _objects.GetValueOrDefault(key);

    /// <summary>Calls back on every change, in order, from before <see cref="Run"/> on. Must be quick.</summary>
    public void OnChange(Action<Change<T>> handler) => _handlers.Add(handler);

    public async Task Run(CancellationToken cancellationToken)
    {
        await foreach (var change in _mirror.Changes(TookAll, cancellationToken))
        {
            if (change.Now is { } now)
            {
                _objects[Key(now)] = now;
            }
            // Made again under the same name, the newer one may be here already.
            else if (_objects.TryGetValue(Key(change.Before!), out var known) && known.Uid() == change.Before!.Uid())
            {
                _objects.TryRemove(Key(change.Before!), out _);
            }
            Reached(Number((change.Now ?? change.Before)!.ResourceVersion()));
            foreach (var handler in _handlers)
                handler(change);
        }
    }

    public static string Key(T item) => Keys.Of(item.Namespace(), item.Name());

    private void TookAll()
    {
        Reached(_listing);
        _listed.TrySetResult();
    }

    private void Reached(long revision)
    {
        if (revision > Volatile.Read(ref _revision))
            Volatile.Write(ref _revision, revision);
    }

    // Comparable as numbers: Kubernetes says so since 1.35.
    private static long Number(string? revision) => long.TryParse(revision, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
}

/// <summary>What all informers have in common.</summary>
internal interface IInformer
{
    Task Listed { get; }

    Task Run(CancellationToken cancellationToken);
}

/// <summary>Namespace and name in one word.</summary>
internal static class Keys
{
    public static string Of(string? @namespace, string name) => string.IsNullOrEmpty(@namespace) ? name : $"{@namespace}/{name}";

    public static (string Namespace, string Name) Split(string key) => key.Split('/') is [var @namespace, var name] ? (@namespace, name) : ("", key);
}
