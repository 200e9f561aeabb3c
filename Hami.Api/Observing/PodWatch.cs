using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Domain.Protocol;
using k8s;
using k8s.Models;

namespace Hami.Api.Observing;

/// <summary>Follows the cluster's pods.</summary>
internal sealed class PodWatch(
    IKubernetes kubernetes, Journal journal, PodReconciler reconciler, LivePods live, HostRooms hosts, Nominations nominations, WaitingPods waiting, AskReader asks,
    Readiness readiness, NvidiaConfig nvidia, FollowedLog log, TimeProvider time, ILogger<PodWatch> logger)
    : ListWatch<V1Pod>(log, time, logger)
{
    protected override async Task<(IList<V1Pod> Items, string ResourceVersion)> ListAsync(CancellationToken cancellationToken)
    {
        await journal.Loaded.WaitAsync(cancellationToken);
        var list = await kubernetes.CoreV1.ListPodForAllNamespacesAsync(cancellationToken: cancellationToken);
        return (list.Items, list.ResourceVersion());
    }

    protected override IAsyncEnumerable<(WatchEventType Type, V1Pod Object)> WatchAsync(string resourceVersion, CancellationToken cancellationToken) =>
        WatchStream.Of<V1Pod>(kubernetes, "api/v1/pods", resourceVersion, cancellationToken);

    protected override async Task ListedAsync(IList<V1Pod> items, CancellationToken cancellationToken)
    {
        var compared = Log.Number;
        hosts.Replace(items);
        live.Replace(items);
        await reconciler.ListedAsync([.. items.Select(Seen)], cancellationToken);
        Remember(items);
        readiness.PodsReconciled(compared);
    }

    protected override Task ChangedAsync(WatchEventType type, V1Pod item, CancellationToken cancellationToken)
    {
        if (type is WatchEventType.Deleted)
        {
            hosts.ForgetPod(item.Uid());
            live.Forget(item.Uid());
            nominations.Forget(item.Uid());
            reconciler.Gone(item.Uid());
        }
        else
        {
            hosts.See(item);
            live.See(item);
            nominations.See(item);
            reconciler.Seen(Seen(item));
        }
        return Task.CompletedTask;
    }

    /// <summary>Pods that another process, or we before a restart, refused: whom to wake is known in memory only.</summary>
    private void Remember(IList<V1Pod> items)
    {
        var ledger = journal.Ledger;
        var refused = items.Where(p => string.IsNullOrEmpty(p.Spec.NodeName) && ledger.Waiting.ContainsKey(p.Uid())).OrderBy(p => ledger.Waiting[p.Uid()].At);
        foreach (var pod in refused)
        {
            if (asks.Read(pod).Ask is { } ask)
                waiting.Remember(ask, ledger.Waiting[pod.Uid()].Refusal.LogPosition);
        }
    }

    private SeenPod Seen(V1Pod pod) => SeenPod.Of(pod, nvidia);
}
