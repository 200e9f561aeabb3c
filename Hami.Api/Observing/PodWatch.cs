using System.Text.Json;
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
    /// <summary>What is long in a pod and nobody here looks at: the watch passes it over, and who needs it reads the pod.</summary>
    internal static readonly IReadOnlyDictionary<Type, string[]> PassedOver = new Dictionary<Type, string[]>
    {
        [typeof(V1ObjectMeta)] = ["managedFields"],
        [typeof(V1PodSpec)] = ["volumes", "tolerations", "affinity", "topologySpreadConstraints", "securityContext", "imagePullSecrets", "dnsConfig", "hostAliases"],
        [typeof(V1Container)] =
        [
            "command", "args", "env", "envFrom", "ports", "volumeMounts", "volumeDevices", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "securityContext",
        ],
        [typeof(V1PodStatus)] = ["podIPs", "hostIPs", "ephemeralContainerStatuses"],
        [typeof(V1ContainerStatus)] = ["volumeMounts", "allocatedResources", "allocatedResourcesStatus", "resources", "user"],
    };

    private static readonly JsonSerializerOptions Reading = ClientJson.Without(PassedOver);

    /// <summary>A line of the watch.</summary>
    internal static (WatchEventType Type, V1Pod Object) Read(ReadOnlySpan<byte> line) => WatchStream.Read<V1Pod>(line, Reading);

    protected override async Task<(IList<V1Pod> Items, string ResourceVersion)> ListAsync(CancellationToken cancellationToken)
    {
        await journal.Loaded.WaitAsync(cancellationToken);
        var list = await kubernetes.CoreV1.ListPodForAllNamespacesAsync(cancellationToken: cancellationToken);
        return (list.Items, list.ResourceVersion());
    }

    protected override IAsyncEnumerable<(WatchEventType Type, V1Pod Object)> WatchAsync(string resourceVersion, CancellationToken cancellationToken) =>
        WatchStream.Of<V1Pod>(kubernetes, "api/v1/pods", resourceVersion, cancellationToken, read: Read);

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
