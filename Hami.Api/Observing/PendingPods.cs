using Hami.Api.Binding;
using k8s.Models;

namespace Hami.Api.Observing;

/// <summary>Is a pod there, waiting for a node?</summary>
internal interface IPendingPods
{
    ValueTask<bool> HasAsync(string podNamespace, string name, string uid, CancellationToken cancellationToken);
}

/// <summary>Answers from the watch; about a pod that the watch has not told of, perhaps not yet, the API server is asked.</summary>
internal sealed class PendingPods(SeenPods pods, PodBinder binder) : IPendingPods
{
    public async ValueTask<bool> HasAsync(string podNamespace, string name, string uid, CancellationToken cancellationToken)
    {
        if (pods.Find(uid) is { } seen)
            return seen is { Node.Length: 0, IsTerminal: false };
        try
        {
            return uid.Length > 0 && name.Length > 0
                && await binder.FindAsync(podNamespace, name, cancellationToken) is { } pod && pod.Uid() == uid && string.IsNullOrEmpty(pod.Spec.NodeName);
        }
        catch (Exception e) when (e is k8s.Autorest.HttpOperationException or HttpRequestException or IOException)
        {
            // kube-scheduler has it from the same API server.
            return true;
        }
    }
}
