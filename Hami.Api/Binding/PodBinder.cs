using System.Net;
using Hami.Api.Measuring;
using Hami.Domain.Binding;
using Hami.Domain.Ledger;
using Hami.Domain.Protocol;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Api.Binding;

/// <summary>What the API server made of a Binding.</summary>
internal enum BindingOutcome
{
    /// <summary>The pod has the node and the allocation.</summary>
    Bound,

    /// <summary>The pod is gone, or another pod has its name.</summary>
    PodGone,

    /// <summary>The pod has another node, or another allocation.</summary>
    Elsewhere,

    /// <summary>The API server refused for good.</summary>
    Refused,

    /// <summary>No answer: the Binding may still arrive.</summary>
    Unknown,
}

/// <summary>Speaks to the API server about one pod and its node.</summary>
internal sealed class PodBinder(IKubernetes kubernetes, ResultSigner signer, TimeProvider time)
{
    private const int MostConflicts = 8;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Sends the one Binding call, with the pod's uid and resourceVersion as preconditions.</summary>
    /// <param name="resourceVersion">As last seen; empty reads the pod first.</param>
    public async Task<(BindingOutcome Outcome, string? Why)> BindAsync(
        Allocation allocation, string node, string resourceVersion, CancellationToken cancellationToken)
    {
        for (var tries = 0; tries < MostConflicts; tries++)
        {
            if (resourceVersion.Length > 0)
            {
                var (outcome, why) = await SendAsync(allocation, node, resourceVersion, cancellationToken);
                if (outcome is not BindingOutcome.Elsewhere)
                    return (outcome, why);
            }
            // A conflict: kube-scheduler's own status patches move the resourceVersion too. Try again only while the pod has no node.
            var (pod, unknown) = await ReadAsync(allocation, cancellationToken);
            if (unknown is not null)
                return (BindingOutcome.Unknown, unknown);
            if (pod is null || pod.Uid() != allocation.PodUid)
                return (BindingOutcome.PodGone, $"pod {allocation.Namespace}/{allocation.Pod} is gone");
            if (!string.IsNullOrEmpty(pod.Spec.NodeName))
                return Holds(pod, allocation) ? (BindingOutcome.Bound, null) : (BindingOutcome.Elsewhere, $"pod {allocation.Namespace}/{allocation.Pod} is on node {pod.Spec.NodeName} already");
            // Another process took us for dead: it has given this allocation back, or is about to.
            if (pod.GetAnnotation(HamiKeys.BindSettled)?.StartsWith(allocation.Id.ToString(), StringComparison.Ordinal) == true)
                return (BindingOutcome.Refused, $"another process of hami-api gave up this bind of pod {allocation.Namespace}/{allocation.Pod}; ask again");
            resourceVersion = pod.ResourceVersion();
        }
        return (BindingOutcome.Unknown, $"pod {allocation.Namespace}/{allocation.Pod} changed {MostConflicts} times during its Binding");
    }

    /// <summary>Binds a pod that names our resources but asks none of them, such as <c>nvidia.com/gpu: 0</c>: kube-scheduler leaves it to us.</summary>
    /// <returns>Why not, in a sentence; null when it is bound.</returns>
    public async Task<string?> BindWithoutDevicesAsync(Bind command, CancellationToken cancellationToken)
    {
        var binding = new V1Binding
        {
            Metadata = new() { Name = command.Pod, NamespaceProperty = command.Namespace, Uid = command.PodUid },
            Target = new() { ApiVersion = "v1", Kind = "Node", Name = command.Node },
        };
        try
        {
            await kubernetes.CoreV1.CreateNamespacedPodBindingAsync(binding, command.Pod, command.Namespace, cancellationToken: cancellationToken);
            return null;
        }
        catch (HttpOperationException e)
        {
            return $"the API server refused the Binding: {e.Response.Content}";
        }
    }

    /// <summary>
    /// Makes an unfinished bind final: a patch moves the pod's resourceVersion, so that any older Binding fails, and its
    /// answer tells whether one was faster.
    /// </summary>
    public async Task<BindingOutcome> SettleAsync(Allocation allocation, string node, CancellationToken cancellationToken)
    {
        var patch = new
        {
            metadata = new
            {
                uid = allocation.PodUid,
                annotations = new Dictionary<string, string>(StringComparer.Ordinal)
                {
                    [HamiKeys.BindSettled] = $"{allocation.Id} {time.GetUtcNow():O}",
                },
            },
        };
        try
        {
            var pod = await kubernetes.CoreV1.PatchNamespacedPodAsync(
                new V1Patch(patch, V1Patch.PatchType.MergePatch), allocation.Pod, allocation.Namespace, cancellationToken: cancellationToken);
            return string.IsNullOrEmpty(pod.Spec.NodeName) ? BindingOutcome.Refused
                // The annotation is its owner's to edit: a pod on this node may run with these shares, whatever it says.
                : pod.Spec.NodeName == node ? BindingOutcome.Bound : BindingOutcome.Elsewhere;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.NotFound)
        {
            return BindingOutcome.PodGone;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.Conflict or HttpStatusCode.UnprocessableEntity)
        {
            // A foreign uid in a patch is 422 (the field is immutable), but a busy server may refuse as well: only another pod
            // under the name is proof.
            if (await FindAsync(allocation.Namespace, allocation.Pod, cancellationToken) is { } pod && pod.Uid() == allocation.PodUid)
                throw;
            return BindingOutcome.PodGone;
        }
    }

    /// <summary>The pod, or null when it is gone.</summary>
    public async Task<V1Pod?> FindAsync(string podNamespace, string name, CancellationToken cancellationToken)
    {
        try
        {
            return await kubernetes.CoreV1.ReadNamespacedPodAsync(name, podNamespace, cancellationToken: cancellationToken);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    /// <summary>True when the pod is on a node with this allocation.</summary>
    public async Task<bool> HoldsAsync(Allocation allocation, CancellationToken cancellationToken) =>
        await FindAsync(allocation.Namespace, allocation.Pod, cancellationToken) is { Spec.NodeName.Length: > 0 } pod && Holds(pod, allocation);

    private async Task<(BindingOutcome Outcome, string? Why)> SendAsync(
        Allocation allocation, string node, string resourceVersion, CancellationToken cancellationToken)
    {
        var annotations = new Dictionary<string, string>(BindingAnnotations.Annotations(allocation, node, time.GetUtcNow()), StringComparer.Ordinal);
        signer.Sign(allocation.PodUid, node, annotations);
        var binding = new V1Binding
        {
            Metadata = new()
            {
                Name = allocation.Pod,
                NamespaceProperty = allocation.Namespace,
                Uid = allocation.PodUid,
                ResourceVersion = resourceVersion,
                Annotations = annotations,
                Labels = new Dictionary<string, string>(BindingAnnotations.Labels(node), StringComparer.Ordinal),
            },
            Target = new() { ApiVersion = "v1", Kind = "Node", Name = node },
        };
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        var began = time.GetTimestamp();
        try
        {
            await kubernetes.CoreV1.CreateNamespacedPodBindingAsync(binding, allocation.Pod, allocation.Namespace, cancellationToken: patience.Token);
            return (BindingOutcome.Bound, null);
        }
        catch (HttpOperationException e)
        {
            return e.Response.StatusCode switch
            {
                HttpStatusCode.Conflict => (BindingOutcome.Elsewhere, e.Response.Content),
                HttpStatusCode.NotFound => (BindingOutcome.PodGone, $"pod {allocation.Namespace}/{allocation.Pod} is gone"),
                >= HttpStatusCode.InternalServerError or HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout =>
                    (BindingOutcome.Unknown, $"the API server answered the Binding with {(int)e.Response.StatusCode}"),
                _ => (BindingOutcome.Refused, $"the API server refused the Binding: {e.Response.Content}"),
            };
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            return (BindingOutcome.Unknown, $"the API server did not answer the Binding: {e.Message}");
        }
        finally
        {
            Meters.Took(Stage.BindingCall, time.GetElapsedTime(began));
        }
    }

    private async Task<(V1Pod? Pod, string? Unknown)> ReadAsync(Allocation allocation, CancellationToken cancellationToken)
    {
        try
        {
            return (await FindAsync(allocation.Namespace, allocation.Pod, cancellationToken), null);
        }
        catch (Exception e) when (e is HttpOperationException or HttpRequestException or IOException or OperationCanceledException)
        {
            return (null, $"the API server could not be asked about the pod: {e.Message}");
        }
    }

    private static bool Holds(V1Pod pod, Allocation allocation) => pod.GetAnnotation(HamiKeys.AllocationId) == allocation.Id.ToString();
}
