using k8s;
using k8s.Exceptions;

namespace Hami.NodeAgent.Plumbing;

/// <summary>How to reach the API server: the file given, else KUBECONFIG, else the pod's own service account.</summary>
internal static class ClusterAccess
{
    /// <exception cref="InvalidOperationException">There is none; the message is a sentence for the operator.</exception>
    public static IKubernetes Open(string? kubeconfig)
    {
        var file = kubeconfig ?? Environment.GetEnvironmentVariable("KUBECONFIG");
        try
        {
            if (!string.IsNullOrEmpty(file))
                return new Kubernetes(KubernetesClientConfiguration.BuildConfigFromConfigFile(new FileInfo(file)));
            if (KubernetesClientConfiguration.IsInCluster())
                return new Kubernetes(KubernetesClientConfiguration.InClusterConfig());
        }
        catch (Exception e) when (e is KubeConfigException or IOException or UnauthorizedAccessException or YamlDotNet.Core.YamlException)
        {
            throw new InvalidOperationException($"The kubeconfig {file} cannot be used ({e.Message}); give --kubeconfig a file that kubectl accepts.", e);
        }
        throw new InvalidOperationException("No way to the API server: give --kubeconfig, set KUBECONFIG, or run as a pod of the cluster.");
    }
}
