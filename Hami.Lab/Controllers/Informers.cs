using Hami.Api.Plumbing.Kubernetes;
using Hami.Lab.Cluster;
using k8s;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>The kinds several controllers look at, each watched once.</summary>
internal sealed class Informers
{
    private static readonly string[] Asked = ["controller.kubernetes.io/pod-deletion-cost", "batch.kubernetes.io/job-completion-index"];

    public Informers(LabControllersOptions options, Action<Exception> broken)
    {
        var (kubernetes, time) = (options.Kubernetes, options.Time);
        Pods = new(
            async ct => await kubernetes.CoreV1.ListPodForAllNamespacesAsync(cancellationToken: ct),
            (version, ct) => WatchStream.Of<V1Pod>(kubernetes, "api/v1/pods", version, ct, read: PodsReadOnce.Read), time, broken, Slim);
        Nodes = new(
            async ct => await kubernetes.CoreV1.ListNodeAsync(cancellationToken: ct),
            (version, ct) => WatchStream.Of<V1Node>(kubernetes, "api/v1/nodes", version, ct), time, broken,
            node => node with { Metadata = node.Metadata with { Annotations = null } });
        Leases = new(
            async ct => await kubernetes.CoordinationV1.ListNamespacedLeaseAsync("kube-node-lease", cancellationToken: ct),
            (version, ct) => WatchStream.Of<V1Lease>(kubernetes, "apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", version, ct), time, broken);
        ReplicaSets = new(
            async ct => await kubernetes.AppsV1.ListReplicaSetForAllNamespacesAsync(cancellationToken: ct),
            (version, ct) => WatchStream.Of<V1ReplicaSet>(kubernetes, "apis/apps/v1/replicasets", version, ct), time, broken);
        Deployments = new(
            async ct => await kubernetes.AppsV1.ListDeploymentForAllNamespacesAsync(cancellationToken: ct),
            (version, ct) => WatchStream.Of<V1Deployment>(kubernetes, "apis/apps/v1/deployments", version, ct), time, broken);
        Jobs = new(
            async ct => await kubernetes.BatchV1.ListJobForAllNamespacesAsync(cancellationToken: ct),
            (version, ct) => WatchStream.Of<V1Job>(kubernetes, "apis/batch/v1/jobs", version, ct), time, broken);
        Namespaces = new(
            async ct => await kubernetes.CoreV1.ListNamespaceAsync(cancellationToken: ct),
            (version, ct) => WatchStream.Of<V1Namespace>(kubernetes, "api/v1/namespaces", version, ct), time, broken);
        Quotas = new(
            async ct => await kubernetes.CoreV1.ListResourceQuotaForAllNamespacesAsync(cancellationToken: ct),
            (version, ct) => WatchStream.Of<V1ResourceQuota>(kubernetes, "api/v1/resourcequotas", version, ct), time, broken);
        All = [Pods, Nodes, Leases, ReplicaSets, Deployments, Jobs, Namespaces, Quotas];
    }

    public IInformer[] All { get; }

    public Informer<V1Pod> Pods { get; }

    public Informer<V1Node> Nodes { get; }

    public Informer<V1Lease> Leases { get; }

    public Informer<V1ReplicaSet> ReplicaSets { get; }

    public Informer<V1Deployment> Deployments { get; }

    public Informer<V1Job> Jobs { get; }

    public Informer<V1Namespace> Namespaces { get; }

    public Informer<V1ResourceQuota> Quotas { get; }

    // Ten thousand pods are held here; no controller asks how a container is run, or what others have noted on it.
    private static V1Pod Slim(V1Pod pod) => pod with
    {
        Metadata = pod.Metadata with
        {
            ManagedFields = null,
            Annotations = pod.Metadata.Annotations?.Where(a => Asked.Contains(a.Key, StringComparer.Ordinal)).ToDictionary(StringComparer.Ordinal),
        },
        Spec = pod.Spec with { Containers = [], InitContainers = null, Volumes = null, Affinity = null },
    };
}
