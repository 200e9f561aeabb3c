using System.Text.Json;
using Hami.NodeAgent.Plumbing.Cluster;
using k8s;
using k8s.Models;

namespace Hami.Tests.Given;

/// <summary>What the tests say with the Kubernetes client's types, as the node agent reads it off the wire.</summary>
internal static class AsTheAgentSees
{
    public static Pod AsTold(this V1Pod pod) => JsonSerializer.Deserialize(KubernetesJson.Serialize(pod), ClusterJson.Default.Pod)!;

    public static PodList AsTold(this V1PodList pods) => JsonSerializer.Deserialize(KubernetesJson.Serialize(pods), ClusterJson.Default.PodList)!;

    /// <summary>The agent's client of the same API server.</summary>
    public static ApiServerClient ForAgent(this IKubernetes kubernetes)
    {
        var client = (Kubernetes)kubernetes;
        return new(client.HttpClient, client.BaseUri, (request, cancellation) => client.Credentials?.ProcessHttpRequestAsync(request, cancellation) ?? Task.CompletedTask);
    }
}
