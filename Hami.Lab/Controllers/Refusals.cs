using System.Net;
using System.Text.Json;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Controllers;

/// <summary>What the API server said when it said no.</summary>
internal static class Refusals
{
    /// <summary>The sentence a person reads: the server's own where there is one.</summary>
    public static string Sentence(Exception e) => Status(e)?.Message is { Length: > 0 } message ? message : e.Message;

    public static bool IsNotFound(this HttpOperationException e) => e.Response.StatusCode is HttpStatusCode.NotFound;

    /// <summary>Whether what a patch or a deletion was meant for, by its uid, is no more; another object of the name may be there.</summary>
    public static bool IsGone(this HttpOperationException e) => e.IsNotFound() || e.Response.StatusCode is HttpStatusCode.UnprocessableEntity || e.IsConflict();

    public static bool IsConflict(this HttpOperationException e) => e.Response.StatusCode is HttpStatusCode.Conflict && Status(e)?.Reason is not "AlreadyExists";

    public static bool IsAlreadyThere(this HttpOperationException e) => e.Response.StatusCode is HttpStatusCode.Conflict && Status(e)?.Reason is "AlreadyExists";

    public static bool NamespaceEnds(this HttpOperationException e) =>
        e.Response.StatusCode is HttpStatusCode.Forbidden && Sentence(e).Contains("because it is being terminated", StringComparison.Ordinal);

    /// <summary>Whether the write may have happened all the same.</summary>
    public static bool IsUnclear(Exception e) => e is not HttpOperationException { Response.StatusCode: < HttpStatusCode.InternalServerError };

    private static V1Status? Status(Exception e)
    {
        try
        {
            return e is HttpOperationException { Response.Content: { Length: > 0 } content } ? KubernetesJson.Deserialize<V1Status>(content) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
