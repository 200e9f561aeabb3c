using System.Net;
using System.Text;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Kubelet.Volumes;

/// <summary>Asks the API server for a token of the pod's service account.</summary>
internal sealed class ServiceAccountTokens(IKubernetes kubernetes)
{
    /// <summary>The token, bound to the pod; null when the server has no TokenRequest. Throws <see cref="SourceException"/> when the server refuses.</summary>
    public async Task<byte[]?> For(V1Pod pod, V1ServiceAccountTokenProjection asked, CancellationToken cancellationToken)
    {
        var account = pod.Spec.ServiceAccountName ?? "default";
        try
        {
            var answer = await kubernetes.CoreV1.CreateNamespacedServiceAccountTokenAsync(
                new()
                {
                    ApiVersion = "authentication.k8s.io/v1",
                    Kind = "TokenRequest",
                    Spec = new()
                    {
                        Audiences = string.IsNullOrEmpty(asked.Audience) ? [] : [asked.Audience],
                        ExpirationSeconds = asked.ExpirationSeconds ?? 3600,
                        BoundObjectRef = new() { ApiVersion = "v1", Kind = "Pod", Name = pod.Metadata.Name, Uid = pod.Metadata.Uid },
                    },
                },
                account,
                pod.Metadata.NamespaceProperty,
                cancellationToken: cancellationToken);
            return answer.Status?.Token is { } token ? Encoding.UTF8.GetBytes(token) : null;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed
            && !e.Response.Content.Contains($"serviceaccounts \\\"{account}\\\"", StringComparison.Ordinal))
        {
            return null;
        }
        catch (HttpOperationException e)
        {
            throw new SourceException($"failed to fetch token: {Said(e)}", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new SourceException($"failed to fetch token: {e.Message}", e);
        }
    }

    private static string Said(HttpOperationException e)
    {
        try
        {
            return KubernetesJson.Deserialize<V1Status>(e.Response.Content).Message ?? e.Message;
        }
        catch (System.Text.Json.JsonException)
        {
            return e.Message;
        }
    }
}
