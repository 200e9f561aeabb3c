using Grpc.Net.Client;
using Hami.NodeAgent.Plumbing;
using Kubelet.PodResources.V1;

namespace Hami.NodeAgent.Allocating;

/// <summary>Asks the kubelet which containers hold devices.</summary>
internal interface IPodResources
{
    /// <summary>In the kubelet's order; null when it does not answer in time.</summary>
    Task<IReadOnlyList<ListedPod>?> List(CancellationToken cancellation);
}

/// <summary>Asks over the kubelet's socket.</summary>
internal sealed partial class PodResources(AgentOptions options, ILogger<PodResources> log) : IPodResources, IDisposable
{
    // A real kubelet 1.36 needs 1.5 ms, also while it waits for our Allocate.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(1);

    private readonly GrpcChannel channel = UnixSocketChannel.To(options.PodResourcesSocket);

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

    // By hand: a full node lists a hundred pods, and is asked several times for each that comes.
    private ListedPod Pod(Kubelet.PodResources.V1.PodResources pod)
    {
        var containers = new Dictionary<string, IReadOnlySet<string>>(pod.Containers.Count, StringComparer.Ordinal);
        foreach (var container in pod.Containers)
        {
            var ids = containers.TryGetValue(container.Name, out var known) ? (HashSet<string>)known : new(StringComparer.Ordinal);
            foreach (var devices in container.Devices)
            {
                if (devices.ResourceName == options.ResourceName)
                    ids.UnionWith(devices.DeviceIds);
            }
            containers[container.Name] = ids;
        }
        return new(pod.Namespace, pod.Name, containers);
    }

    [LoggerMessage(LogLevel.Warning, "The kubelet's pod-resources did not answer ({Reason}); this agent's own record decides")]
    private partial void LogSilent(string reason);
}
