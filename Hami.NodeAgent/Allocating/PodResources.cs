using Grpc.Net.Client;
using Hami.NodeAgent.Plumbing;
using Kubelet.PodResources.V1;

namespace Hami.NodeAgent.Allocating;

/// <summary>Asks the kubelet which containers hold devices.</summary>
internal sealed partial class PodResources(AgentOptions options, ILogger<PodResources> log) : IDisposable
{
    // A real kubelet 1.36 needs 1.5 ms, also while it waits for our Allocate.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(1);

    private readonly GrpcChannel channel = UnixSocketChannel.To(options.PodResourcesSocket);

    /// <summary>In the kubelet's order; null when it does not answer in time.</summary>
    public async Task<IReadOnlyList<ListedPod>?> List(CancellationToken cancellation)
    {
        if (!File.Exists(options.PodResourcesSocket))
            return null;
        try
        {
            var client = new PodResourcesLister.PodResourcesListerClient(channel);
            var answer = await Bounded.Call(Limit, async c => await client.ListAsync(new(), cancellationToken: c), cancellation);
            return [.. answer.PodResources.Select(Pod)];
        }
        catch (Exception e) when (Outage.Is(e, cancellation))
        {
            LogSilent(Outage.Reason(e));
            return null;
        }
    }

    public void Dispose() => channel.Dispose();

    private ListedPod Pod(Kubelet.PodResources.V1.PodResources pod) => new(pod.Namespace, pod.Name,
        pod.Containers.GroupBy(c => c.Name, StringComparer.Ordinal).ToDictionary(g => g.Key, IReadOnlySet<string> (g) =>
            g.SelectMany(c => c.Devices).Where(d => d.ResourceName == options.ResourceName).SelectMany(d => d.DeviceIds)
                .ToHashSet(StringComparer.Ordinal), StringComparer.Ordinal));

    [LoggerMessage(LogLevel.Warning, "The kubelet's pod-resources did not answer ({Reason}); this agent's own record decides")]
    private partial void LogSilent(string reason);
}
