using k8s.Models;

namespace Hami.Lab.Kubelet;

/// <summary>Lets pods onto the node that fit it as it is now.</summary>
internal sealed class NodeGate(PodDirectory pods, DevicePlugins plugins)
{
    /// <summary>The node's object; set before the first pod comes.</summary>
    public NodeObject? Node { get; set; }

    /// <summary>Throws <see cref="AdmissionException"/> when the pod does not fit; then it holds nothing.</summary>
    public async Task Check(PodWorker pod, CancellationToken cancellationToken)
    {
        try
        {
            await Try(pod.Pod, [.. pods.Active.Where(p => p.Uid() != pod.Pod.Uid())], cancellationToken);
        }
        catch (AdmissionException)
        {
            pod.GiveBack();
            throw;
        }
    }

    private async Task Try(V1Pod pod, IReadOnlyCollection<V1Pod> others, CancellationToken cancellationToken)
    {
        try
        {
            if (Node?.Last is { } last)
                NodeFit.Check(pod, others, last, plugins.Knows);
        }
        catch (AdmissionException e) when (e.Reason is "NodeAffinity" or "TaintToleration")
        {
            // A label may be newer than what is known here.
            if (await Node!.Read(cancellationToken) is not { } now)
                throw;
            NodeFit.Check(pod, others, now, plugins.Knows);
        }
    }
}
