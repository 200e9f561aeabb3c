using k8s;

namespace Hami.Api.Plumbing.Kubernetes;

/// <summary>The cluster that is served.</summary>
/// <param name="Kubeconfig">Path; null means <c>KUBECONFIG</c>, else the cluster this process runs in.</param>
/// <param name="NodeSelector">Labels of the nodes that get pods, as the API server takes them; empty for all nodes.</param>
internal sealed record ClusterOptions(string? Kubeconfig, ClientLimits Limits, string NodeSelector);

/// <summary>The way to the API server.</summary>
internal static class ClusterAccess
{
    /// <summary>How to reach the cluster: by the kubeconfig given, else <c>KUBECONFIG</c>, else as a pod of it, else the user's own kubeconfig.</summary>
    /// <exception cref="k8s.Exceptions.KubeConfigException">There is none that can be used.</exception>
    public static KubernetesClientConfiguration Of(string? kubeconfig) =>
        kubeconfig is not null ? KubernetesClientConfiguration.BuildConfigFromConfigFile(kubeconfig)
        : Environment.GetEnvironmentVariable("KUBECONFIG") is { Length: > 0 } ? KubernetesClientConfiguration.BuildDefaultConfig() // alone in reading the variable
        : KubernetesClientConfiguration.IsInCluster() ? KubernetesClientConfiguration.InClusterConfig()
        : KubernetesClientConfiguration.BuildConfigFromConfigFile();

    public static IKubernetes Client(ClusterOptions options, TimeProvider time) => new k8s.Kubernetes(Of(options.Kubeconfig), new LimitedClient(options.Limits, time));
}
