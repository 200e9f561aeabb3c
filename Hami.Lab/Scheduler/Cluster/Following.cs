using System.Net;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Lab.Cluster;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>Lists in pages, then watches for ever, keeping nothing itself but its place.</summary>
/// <remarks>
/// A watch that ends in order is taken up where it stopped; after an error, or when it has told nothing, not even a bookmark, everything is listed
/// again, because the server may be another one.
/// </remarks>
internal sealed class Following<T>(
    Func<string?, CancellationToken, Task<IItems<T>>> list,
    Func<string?, CancellationToken, IAsyncEnumerable<(WatchEventType Type, T Object)>> watch,
    TimeProvider time,
    Action<Exception> broken)
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(300);

    /// <summary>Tells of every object once and of every change; ends when cancelled.</summary>
    /// <param name="now">An object as it is now; objects of a repeated list come again.</param>
    /// <param name="gone">An object that is no more.</param>
    /// <param name="onlyThese">After a list: the uids of all there are.</param>
    public async Task Run(Action<T> now, Action<T> gone, Action<IReadOnlySet<string>> onlyThese, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                var version = await List(now, onlyThese, cancellationToken);
                for (var told = true; told && !cancellationToken.IsCancellationRequested;)
                {
                    (version, told) = await Watch(version, now, gone, cancellationToken);
                    await Task.Delay(Rest, time, cancellationToken);
                }
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                // 410 Gone is the server's ordinary "list again".
                if (e is not HttpOperationException { Response.StatusCode: HttpStatusCode.Gone })
                    broken(e);
                await Task.Delay(Rest, time, cancellationToken);
            }
        }
    }

    private async Task<string?> List(Action<T> now, Action<IReadOnlySet<string>> onlyThese, CancellationToken cancellationToken)
    {
        var uids = new HashSet<string>(StringComparer.Ordinal);
        string? page = null;
        while (true)
        {
            var items = await list(page, cancellationToken);
            foreach (var item in items.Items)
            {
                uids.Add(item.Metadata.Uid);
                now(item);
            }
            var metadata = (items as IMetadata<V1ListMeta>)?.Metadata;
            page = metadata?.ContinueProperty;
            if (!string.IsNullOrEmpty(page))
                continue;
            onlyThese(uids);
            return metadata?.ResourceVersion;
        }
    }

    private async Task<(string? Version, bool Told)> Watch(string? version, Action<T> now, Action<T> gone, CancellationToken cancellationToken)
    {
        var told = false;
        await foreach (var (type, item) in watch(version, cancellationToken).WithCancellation(cancellationToken))
        {
            told = true;
            version = item.Metadata?.ResourceVersion ?? version;
            if (type is WatchEventType.Added or WatchEventType.Modified)
                now(item);
            else if (type is WatchEventType.Deleted)
                gone(item);
        }
        return (version, told);
    }
}

/// <summary>What the scheduler follows, as kube-scheduler asks for it.</summary>
internal static class Following
{
    private const int Page = 500;
    private const string NotFinished = "status.phase!=Succeeded,status.phase!=Failed";

    public static Following<V1Pod> Pods(IKubernetes kubernetes, TimeProvider time, Action<Exception> broken) => new(
        async (page, ct) => await kubernetes.CoreV1.ListPodForAllNamespacesAsync(fieldSelector: NotFinished, limit: Page, continueParameter: page, cancellationToken: ct),
        (version, ct) => WatchStream.Of<V1Pod>(kubernetes, "api/v1/pods", version, ct, fieldSelector: NotFinished, read: PodsReadOnce.Read),
        time,
        broken);

    public static Following<V1Node> Nodes(IKubernetes kubernetes, TimeProvider time, Action<Exception> broken) => new(
        async (page, ct) => await kubernetes.CoreV1.ListNodeAsync(limit: Page, continueParameter: page, cancellationToken: ct),
        (version, ct) => WatchStream.Of<V1Node>(kubernetes, "api/v1/nodes", version, ct),
        time,
        broken);
}
