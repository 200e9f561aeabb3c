using System.Net;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Cluster;

/// <summary>What the agents of a lab show the control plane: a token of their account, bound to their node, as the kubelet mounts one into a pod.</summary>
internal static class AgentAccount
{
    private const string Name = "hami-node-agent";
    private const string Namespace = "kube-system";
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(365); // a lab renews none

    /// <summary>Writes a node's token into a file, readable by its owner alone.</summary>
    public static async Task WriteAsync(string file, IKubernetes kubernetes, string node, CancellationToken ct)
    {
        await CreateAsync(() => kubernetes.CoreV1.CreateNamespacedServiceAccountAsync(new V1ServiceAccount { Metadata = new() { Name = Name } }, Namespace, cancellationToken: ct));
        await CreateAsync(() => kubernetes.RbacAuthorizationV1.CreateClusterRoleAsync(
            new V1ClusterRole { Metadata = new() { Name = Name }, Rules = [new() { ApiGroups = [""], Resources = ["nodes"], Verbs = ["get", "patch"] }] }, cancellationToken: ct));
        await CreateAsync(() => kubernetes.RbacAuthorizationV1.CreateClusterRoleBindingAsync(
            new V1ClusterRoleBinding
            {
                Metadata = new() { Name = Name },
                RoleRef = new() { ApiGroup = "rbac.authorization.k8s.io", Kind = "ClusterRole", Name = Name },
                Subjects = [new() { Kind = "ServiceAccount", Name = Name, NamespaceProperty = Namespace }],
            },
            cancellationToken: ct));
        var made = await kubernetes.CoreV1.CreateNamespacedServiceAccountTokenAsync(
            new Authenticationv1TokenRequest
            {
                Spec = new() { Audiences = [], ExpirationSeconds = (long)Lifetime.TotalSeconds, BoundObjectRef = new() { Kind = "Node", ApiVersion = "v1", Name = node } },
            },
            Name, Namespace, cancellationToken: ct);
        PrivateFile.Write(file, made.Status.Token);
    }

    private static async Task CreateAsync<T>(Func<Task<T>> create)
    {
        try
        {
            await create();
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.Conflict)
        {
            // Of an earlier start, or of another node's agent.
        }
    }
}
