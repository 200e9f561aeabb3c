using System.Globalization;
using System.Net;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Api.Releasing;

/// <summary>What became of a touch.</summary>
internal enum Touch
{
    Done,

    /// <summary>The pod is gone, or another one has its name.</summary>
    Gone,

    /// <summary>The API server did not take it; kube-scheduler's own flush remains.</summary>
    Failed,
}

/// <summary>Makes kube-scheduler try a pod again.</summary>
internal interface IPodTouch
{
    Task<Touch> TouchAsync(PodAsk ask, long position, CancellationToken cancellationToken);
}

/// <summary>By a change of an annotation, which kube-scheduler takes as a reason to look again.</summary>
internal sealed partial class PodTouch(IKubernetes kubernetes, ILogger<PodTouch> logger) : IPodTouch
{
    public async Task<Touch> TouchAsync(PodAsk ask, long position, CancellationToken cancellationToken)
    {
        // The same position may wake twice, by a quota and by a reservation that ended; kube-scheduler hears only of changes.
        var word = $"{position.ToString(CultureInfo.InvariantCulture)}-{Guid.CreateVersion7():N}";
        var patch = new
        {
            metadata = new { uid = ask.Uid, annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [HamiKeys.Wake] = word } },
        };
        try
        {
            await kubernetes.CoreV1.PatchNamespacedPodAsync(
                new V1Patch(patch, V1Patch.PatchType.MergePatch), ask.Name, ask.Namespace, cancellationToken: cancellationToken);
            LogWoken(logger, ask.Namespace, ask.Name, position);
            return Touch.Done;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.UnprocessableEntity)
        {
            // 422 says that the uid of the patch is not the pod's own.
            return Touch.Gone;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            LogNotWoken(logger, ask.Namespace, ask.Name, e.Message);
            return Touch.Failed;
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Namespace}/{Pod} fits since log position {Position}; woken.")]
    private static partial void LogWoken(ILogger logger, string @namespace, string pod, long position);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Namespace}/{Pod} fits, but could not be woken: {Why}")]
    private static partial void LogNotWoken(ILogger logger, string @namespace, string pod, string why);
}
