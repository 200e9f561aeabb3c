using Hami.NodeAgent.Plumbing;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.NodeAgent.Partitioning;

/// <summary>Hands out static MIG devices; that needs nobody's allocation, and touches no pod.</summary>
internal sealed class MigHanding(StaticMigDevices devices)
{
    /// <summary>Null when the kubelet asks for no MIG devices.</summary>
    /// <exception cref="Grpc.Core.RpcException">One is not there any more.</exception>
    public AllocateResponse? Answer(AllocateRequest request)
    {
        var answer = new AllocateResponse();
        foreach (var container in request.ContainerRequests)
        {
            if (devices.Find(container.DevicesIds) is not { } found)
                return null;
            var its = new ContainerAllocateResponse();
            its.Envs["NVIDIA_VISIBLE_DEVICES"] = string.Join(',', found.Select(d => d.Uuid));
            answer.ContainerResponses.Add(its);
        }
        return answer;
    }

    public static Device Listed(StaticMigDevices.Told told) => new()
    {
        ID = told.Device.Uuid,
        Health = told.IsHealthy ? "Healthy" : "Unhealthy",
        // Always, as NVIDIA's plugin tells it: here the kubelet chooses the devices.
        Topology = told.Device.Numa is { } numa ? new() { Nodes = { new NUMANode { ID = numa } } } : null,
    };
}
