using Grpc.Core;
using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Plumbing;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.NodeAgent.Partitioning;

/// <summary>Hands out MIG devices: those made for a container, and static ones, which need nobody's allocation and touch no pod.</summary>
internal sealed class MigHanding(StaticMigDevices devices, MigInstances instances, MigHandedDevices handed, DeviceFolder folder, AgentOptions options)
{
    /// <summary>The instances that the scheduler reserved for a container.</summary>
    /// <exception cref="MigRefusal">They cannot be had.</exception>
    public async Task<IReadOnlyList<HandedDevice>> Make(PodOnNode pod, ContainerShare container) =>
        handed.Of(await instances.Make(pod, container, CancellationToken.None));

    /// <summary>Sees that a container's instances are there before it starts.</summary>
    /// <exception cref="RpcException">They are not; the kubelet will ask again.</exception>
    public async Task See(PodOnNode pod, ContainerShare container, CancellationToken cancellation)
    {
        if (pod.Mig.Reservations.All(r => r.Container != container.Name))
            return;
        try
        {
            await instances.See(pod, container, cancellation);
        }
        catch (MigRefusal e)
        {
            throw new RpcException(new Status(StatusCode.FailedPrecondition, e.Message));
        }
    }

    /// <summary>The static MIG devices that stand for cards, as the kubelet is told of them, and a task that ends when they may be others.</summary>
    public (IEnumerable<Device> Devices, Task Changed) Watch(string resource)
    {
        var (all, changed) = devices.Watch(resource);
        return (all.Select(Listed), changed);
    }

    /// <summary>Null when the kubelet asks for no static MIG devices.</summary>
    /// <exception cref="RpcException">One is not there any more.</exception>
    public AllocateResponse? Answer(AllocateRequest request)
    {
        var answer = new AllocateResponse();
        foreach (var ids in request.ContainerRequests.Select(c => c.DevicesIds))
        {
            if (devices.Find(ids) is not { } found)
                return null;
            try
            {
                answer.ContainerResponses.Add(DeviceAnswer.For(handed.Of([.. found.Select(d => d.Uuid)]), options.Handing, folder));
            }
            catch (MigRefusal e)
            {
                throw new RpcException(new Status(StatusCode.Internal, e.Message));
            }
        }
        return answer;
    }

    private static Device Listed(StaticMigDevices.Told told) => new()
    {
        ID = told.Device.Uuid,
        Health = told.IsHealthy ? "Healthy" : "Unhealthy",
        // Always, as NVIDIA's plugin tells it: here the kubelet chooses the devices.
        Topology = told.Device.Numa is { } numa ? new() { Nodes = { new NUMANode { ID = numa } } } : null,
    };
}
