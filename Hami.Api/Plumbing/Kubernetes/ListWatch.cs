using k8s;
using k8s.Models;

namespace Hami.Api.Plumbing.Kubernetes;

/// <summary>
/// Lists a resource, then watches it; starts over whenever the watch ends, so that nothing is missed, and when another log takes the place of
/// the one that the list was compared with.
/// </summary>
internal abstract partial class ListWatch<T>(FollowedLog log, TimeProvider time, ILogger logger) : BackgroundService
    where T : IKubernetesObject<V1ObjectMeta>
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>What the items are compared with.</summary>
    protected FollowedLog Log { get; } = log;

    /// <summary>All objects, and the resource version the watch goes on from.</summary>
    protected abstract Task<(IList<T> Items, string ResourceVersion)> ListAsync(CancellationToken cancellationToken);

    protected abstract IAsyncEnumerable<(WatchEventType Type, T Object)> WatchAsync(string resourceVersion, CancellationToken cancellationToken);

    /// <summary>What stands in the cluster now; anything not among the items is gone.</summary>
    protected abstract Task ListedAsync(IList<T> items, CancellationToken cancellationToken);

    protected abstract Task ChangedAsync(WatchEventType type, T item, CancellationToken cancellationToken);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(FollowAsync, time, logger, stoppingToken);

    private async Task FollowAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var (items, resourceVersion) = await ListAsync(stoppingToken);
                using var same = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, Log.Ends);
                await ListedAsync(items, stoppingToken);
                await foreach (var (type, item) in WatchAsync(resourceVersion, same.Token))
                {
                    if (type is WatchEventType.Error)
                        break;
                    if (type is not WatchEventType.Bookmark)
                        await ChangedAsync(type, item, stoppingToken);
                }
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogBroken(logger, typeof(T).Name, e.Message);
            }
            await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Watching {Kind} broke off ({Why}); starting over.")]
    private static partial void LogBroken(ILogger logger, string kind, string why);
}
