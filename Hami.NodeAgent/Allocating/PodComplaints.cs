using Hami.NodeAgent.Plumbing;
using k8s;
using k8s.Models;

namespace Hami.NodeAgent.Allocating;

/// <summary>Tells a pod's owner, as an event on the pod, why it gets no devices, or holds more than it was given.</summary>
internal sealed partial class PodComplaints(IKubernetes kubernetes, AgentOptions options, TimeProvider time, ILogger<PodComplaints> log)
{
    private const string Component = "hami-node-agent";

    /// <summary>Tries once: the kubelet says the same on the pod's status.</summary>
    public async Task Tell(PodOnNode pod, string sentence, string reason = "AllocationRefused")
    {
        var now = time.GetUtcNow().UtcDateTime;
        var said = new Corev1Event
        {
            Metadata = new() { Name = $"{pod.Name}.{now.Ticks:x}", NamespaceProperty = pod.Namespace },
            InvolvedObject = new() { ApiVersion = "v1", Kind = "Pod", Name = pod.Name, NamespaceProperty = pod.Namespace, Uid = pod.Uid },
            Reason = reason,
            Message = sentence.Length <= 1024 ? sentence : sentence[..1024],
            Type = "Warning",
            Source = new() { Component = Component, Host = options.NodeName },
            FirstTimestamp = now,
            LastTimestamp = now,
            Count = 1,
        };
        try
        {
            await Bounded.Call(TimeSpan.FromSeconds(5), c => kubernetes.CoreV1.CreateNamespacedEventAsync(said, pod.Namespace, cancellationToken: c), CancellationToken.None);
        }
        catch (Exception e) when (Outage.Is(e, CancellationToken.None))
        {
            LogUnsaid(pod.FullName, e.Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "The event on pod {Pod} could not be written: {Reason}")]
    private partial void LogUnsaid(string pod, string reason);
}
