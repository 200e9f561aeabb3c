using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Cluster;

namespace Hami.NodeAgent.Allocating;

/// <summary>Tells a pod's owner, as an event on the pod, why it gets no devices, or holds more than it was given.</summary>
internal sealed partial class PodComplaints(ApiServerClient api, AgentOptions options, TimeProvider time, ILogger<PodComplaints> log)
{
    /// <summary>Tries once: the kubelet says the same on the pod's status.</summary>
    public async Task Tell(PodOnNode pod, string sentence, string reason = "AllocationRefused")
    {
        var now = time.GetUtcNow();
        var said = Event.Warning(
            new($"{pod.Name}.{now.Ticks:x}", pod.Namespace), new("Pod", pod.Name, pod.Namespace, pod.Uid), reason, sentence, options.NodeName, now);
        try
        {
            await Bounded.Call(TimeSpan.FromSeconds(5), c => api.CreateEventAsync(said, c), CancellationToken.None);
        }
        catch (Exception e) when (Outage.Is(e, CancellationToken.None))
        {
            LogUnsaid(pod.FullName, e.Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "The event on pod {Pod} could not be written: {Reason}")]
    private partial void LogUnsaid(string pod, string reason);
}
