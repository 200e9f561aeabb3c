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
                return new Kubernetes(FromFile(file));
            if (KubernetesClientConfiguration.IsInCluster())
                return new Kubernetes(KubernetesClientConfiguration.InClusterConfig());
        }
        catch (Exception e) when (e is KubeConfigException or IOException or UnauthorizedAccessException or YamlDotNet.Core.YamlException)
        {
            throw new InvalidOperationException($"The kubeconfig {file} cannot be used ({e.Message}); give --kubeconfig a file that kubectl accepts.", e);
        }
        throw new InvalidOperationException("No way to the API server: give --kubeconfig, set KUBECONFIG, or run as a pod of the cluster.");
    }

    // KubernetesClient refuses a user without credentials; kubectl takes it as anonymous, and so do we.
    private static KubernetesClientConfiguration FromFile(string file)
    {
        var config = KubernetesClientConfiguration.LoadKubeConfig(new FileInfo(file));
        var name = config.Contexts?.FirstOrDefault(c => c.Name == config.CurrentContext)?.ContextDetails?.User;
        var user = config.Users?.FirstOrDefault(u => u.Name == name)?.UserCredentials;
        var anonymous = user is
        {
            Token: null, ClientCertificate: null, ClientCertificateData: null, UserName: null, ExternalExecution: null, AuthProvider: null,
        };
        if (anonymous)
            user!.Token = "none";
        var access = KubernetesClientConfiguration.BuildConfigFromConfigObject(config);
        if (anonymous)
            access.AccessToken = null;
        return access;
    }
}
