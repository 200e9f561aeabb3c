using System.Security.Cryptography;

namespace Hami.NodeAgent.Plumbing.Cluster;

/// <summary>How to reach the API server: the file given, else KUBECONFIG, else the pod's own service account.</summary>
internal static class ClusterAccess
{
    // What the kubelet mounts into every pod.
    private const string ServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

    /// <exception cref="InvalidOperationException">There is none; the message is a sentence for the operator.</exception>
    public static ApiServerClient Open(string? kubeconfig)
    {
        var file = kubeconfig ?? Environment.GetEnvironmentVariable("KUBECONFIG");
        try
        {
            if (!string.IsNullOrEmpty(file))
                return Kubeconfig.Read(file).Open();
        }
        catch (Exception e) when (e is FormatException or CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new InvalidOperationException($"The kubeconfig {file} cannot be used ({e.Message}); give --kubeconfig a file that kubectl accepts.", e);
        }
        try
        {
            if (Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_HOST") is { Length: > 0 } host && Environment.GetEnvironmentVariable("KUBERNETES_SERVICE_PORT") is { Length: > 0 } port)
                return InCluster(ServiceAccount, host, port).Open();
        }
        catch (Exception e) when (e is FormatException or CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new InvalidOperationException($"The service account in {ServiceAccount} cannot be used ({e.Message}); let the kubelet mount it (automountServiceAccountToken), or give --kubeconfig.", e);
        }
        throw new InvalidOperationException("No way to the API server: give --kubeconfig, set KUBECONFIG, or run as a pod of the cluster.");
    }

    /// <summary>As a pod of the cluster.</summary>
    /// <exception cref="IOException">The kubelet mounted no service account there.</exception>
    internal static ServerAccess InCluster(string folder, string host, string port)
    {
        var token = Path.Combine(folder, "token");
        if (!File.Exists(token))
            throw new FileNotFoundException($"{token} is missing");
        return new(new Uri($"https://{(host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host)}:{port}/"), File.ReadAllText(Path.Combine(folder, "ca.crt")), TokenFile: token);
    }
}
