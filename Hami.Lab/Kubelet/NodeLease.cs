using System.Net;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Kubelet;

/// <summary>The heartbeat by which the node-lifecycle controller knows that a node lives: a Lease of the node's name, renewed in time.</summary>
internal sealed partial class NodeLease(LabKubeletOptions options, ILogger<NodeLease> log)
{
    private const string Namespace = "kube-node-lease";
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);
    private V1Lease? _known;
    private bool _complained;

    /// <summary>Renews until cancelled, four times within the lease's duration as a real kubelet does.</summary>
    public async Task KeepFresh(CancellationToken cancellationToken)
    {
        while (true)
        {
            var renewed = await TryRenew(cancellationToken);
            await Task.Delay(renewed ? options.LeaseDuration / 4 : Retry, options.Time, cancellationToken);
        }
    }

    private async Task<bool> TryRenew(CancellationToken cancellationToken)
    {
        try
        {
            _known ??= await ReadOrCreate(cancellationToken);
            _known.Spec ??= new();
            _known.Spec.HolderIdentity = options.NodeName;
            _known.Spec.LeaseDurationSeconds = (int)options.LeaseDuration.TotalSeconds;
            _known.Spec.RenewTime = options.Time.GetUtcNow().UtcDateTime;
            _known = await options.Kubernetes.CoordinationV1.ReplaceNamespacedLeaseAsync(_known, options.NodeName, Namespace, cancellationToken: cancellationToken);
            _complained = false;
            return true;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Whatever it was (somebody else's write, a lease deleted, an outage), what we know of it is stale.
            _known = null;
            if (!_complained)
                NotRenewed(log, options.NodeName, e is HttpOperationException http ? http.Response.Content : e.Message);
            _complained = true;
            return false;
        }
    }

    private async Task<V1Lease> ReadOrCreate(CancellationToken cancellationToken)
    {
        try
        {
            return await options.Kubernetes.CoordinationV1.ReadNamespacedLeaseAsync(options.NodeName, Namespace, cancellationToken: cancellationToken);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.NotFound)
        {
            // With its node as owner, the lease goes when the node's object is deleted.
            var node = await options.Kubernetes.CoreV1.ReadNodeAsync(options.NodeName, cancellationToken: cancellationToken);
            return await options.Kubernetes.CoordinationV1.CreateNamespacedLeaseAsync(
                new()
                {
                    ApiVersion = "coordination.k8s.io/v1",
                    Kind = "Lease",
                    Metadata = new()
                    {
                        Name = options.NodeName,
                        NamespaceProperty = Namespace,
                        Labels = new Dictionary<string, string>(options.NodeLabels, StringComparer.Ordinal),
                        OwnerReferences = [new() { ApiVersion = "v1", Kind = "Node", Name = options.NodeName, Uid = node.Uid() }],
                    },
                    Spec = new()
                    {
                        HolderIdentity = options.NodeName,
                        LeaseDurationSeconds = (int)options.LeaseDuration.TotalSeconds,
                        RenewTime = options.Time.GetUtcNow().UtcDateTime,
                    },
                },
                Namespace,
                cancellationToken: cancellationToken);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The lease of node {Node} could not be renewed, it is tried again: {Sentence}")]
    private static partial void NotRenewed(ILogger logger, string node, string sentence);
}
