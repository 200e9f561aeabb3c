using k8s;

namespace Hami.Lab.Cluster;

/// <summary>By what the owner of a kubeconfig is known to the control plane.</summary>
internal static class LabToken
{
    /// <summary>The bearer token of a kubeconfig; null when its user has none, but a certificate for example.</summary>
    public static string? Of(string kubeconfig) =>
        KubernetesClientConfiguration.BuildConfigFromConfigFile(kubeconfig).AccessToken is { Length: > 0 } token ? token : null;
}
