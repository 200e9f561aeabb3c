using System.Net;
using System.Runtime.CompilerServices;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Lab.Cluster;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Kubelet;

/// <summary>One change of one object, as seen by a list followed by a watch.</summary>
/// <param name="Before">The object before, null when it is new.</param>
/// <param name="Now">The object now, null when it is gone.</param>
internal sealed record Change<T>(T? Before, T? Now) where T : class;

/// <summary>Lists, then watches for ever: what an informer does, in a page.</summary>
/// <param name="slim">What is kept and told instead of an object, which others may hold too and nobody may change.</param>
/// <remarks>A broken watch is listed again after a short rest, and the difference is told as ordinary changes, so that no end of an object is missed.</remarks>
internal sealed class Mirror<T>(
    Func<CancellationToken, Task<IItems<T>>> list,
    Func<string?, CancellationToken, IAsyncEnumerable<(WatchEventType Type, T Object)>> watch,
    TimeProvider time,
    Action<Exception> broken,
    Func<T, T>? slim = null)
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(300);
    private readonly Dictionary<string, T> _known = new(StringComparer.Ordinal);

    /// <summary>Every change from the first list on; <paramref name="listed"/> is called after each complete list, when its changes have been taken.</summary>
    public async IAsyncEnumerable<Change<T>> Changes(Action listed, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            var items = await Try(() => list(cancellationToken), cancellationToken);
            if (items is null)
                continue;
            foreach (var change in Relist(items.Items))
                yield return change;
            listed();

            var version = (items as IMetadata<V1ListMeta>)?.Metadata?.ResourceVersion;
            await using var events = watch(version, cancellationToken).GetAsyncEnumerator(cancellationToken);
            while (await Next(events, cancellationToken) is { } next)
            {
                if (Take(next.Type, next.Object) is { } change)
                    yield return change;
            }
        }
    }

    private async Task<IItems<T>?> Try(Func<Task<IItems<T>>> call, CancellationToken cancellationToken)
    {
        try
        {
            return await call();
        }
        catch (Exception e) when (IsOutage(e, cancellationToken))
        {
            broken(e);
            await Task.Delay(Rest, time, cancellationToken);
            return null;
        }
    }

    private async Task<(WatchEventType Type, T Object)?> Next(IAsyncEnumerator<(WatchEventType Type, T Object)> events, CancellationToken cancellationToken)
    {
        try
        {
            if (await events.MoveNextAsync())
                return events.Current;
        }
        catch (Exception e) when (IsOutage(e, cancellationToken))
        {
            // 410 Gone is the server's ordinary "list again".
            if (e is not HttpOperationException { Response.StatusCode: HttpStatusCode.Gone } && !cancellationToken.IsCancellationRequested)
                broken(e);
        }
        await Task.Delay(Rest, time, cancellationToken);
        return null;
    }

    private List<Change<T>> Relist(IList<T> items)
    {
        var now = items.ToDictionary(i => i.Uid(), Kept, StringComparer.Ordinal);
        var changes = _known.Where(k => !now.ContainsKey(k.Key)).Select(k => new Change<T>(k.Value, null)).ToList();
        foreach (var (uid, item) in now)
        {
            var before = _known.GetValueOrDefault(uid);
            if (before?.ResourceVersion() != item.ResourceVersion())
                changes.Add(new(before, item));
        }
        _known.Clear();
        foreach (var (uid, item) in now)
            _known[uid] = item;
        return changes;
    }

    private T Kept(T item) => slim?.Invoke(item) ?? item;

    private Change<T>? Take(WatchEventType type, T told)
    {
        // A bookmark is no object.
        if (type is not (WatchEventType.Added or WatchEventType.Modified or WatchEventType.Deleted))
            return null;
        var item = Kept(told);
        if (type is WatchEventType.Deleted)
        {
            _known.Remove(item.Uid());
            return new(item, null);
        }
        var before = _known.GetValueOrDefault(item.Uid());
        _known[item.Uid()] = item;
        return new(before, item);
    }

    private static bool IsOutage(Exception e, CancellationToken cancellationToken) =>
        e is not OperationCanceledException || !cancellationToken.IsCancellationRequested;
}

/// <summary>What a kubelet mirrors.</summary>
internal static class Mirror
{
    public static Mirror<V1Pod> PodsOf(string node, IKubernetes kubernetes, TimeProvider time, Action<Exception> broken)
    {
        var theirs = $"spec.nodeName={node}";
        return new(
            async ct => await kubernetes.CoreV1.ListPodForAllNamespacesAsync(fieldSelector: theirs, cancellationToken: ct),
            (version, ct) => WatchStream.Of<V1Pod>(kubernetes, "api/v1/pods", version, ct, fieldSelector: theirs, read: PodsReadOnce.Read),
            time,
            broken);
    }
}
