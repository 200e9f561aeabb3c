using Grpc.Core;
using k8s.Models;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.Lab.Kubelet;

/// <summary>Devices that plugins hand out over their sockets.</summary>
/// <param name="deviceResources">Resources that are known to be devices before any plugin said so.</param>
internal sealed class PluginDevices(DevicePlugins plugins, IReadOnlyCollection<string> deviceResources) : IDeviceSource
{
    public bool Knows(string resource) => plugins.Knows(resource) || deviceResources.Contains(resource);

    public IReadOnlyList<string> Healthy(string resource) => plugins.Healthy(resource);

    public async Task<IReadOnlyList<string>> Prefer(
        DeviceAsk ask, IReadOnlyList<string> available, IReadOnlyList<string> mustInclude, CancellationToken cancellationToken)
    {
        if (plugins.Endpoint(ask.Resource) is not { Options.GetPreferredAllocationAvailable: true } endpoint)
            return [];
        var request = new ContainerPreferredAllocationRequest { AllocationSize = ask.Size };
        request.AvailableDeviceIDs.Add(available);
        request.MustIncludeDeviceIDs.Add(mustInclude);
        try
        {
            var answer = await endpoint.Client.GetPreferredAllocationAsync(
                new() { ContainerRequests = { request } }, cancellationToken: cancellationToken);
            return answer.ContainerResponses.Count > 0 ? [.. answer.ContainerResponses[0].DeviceIDs] : [];
        }
        catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw Admission.Unexpected($"device plugin GetPreferredAllocation rpc failed with err: {Words.Of(e)}", e);
        }
    }

    public async Task<ContainerAllocateResponse> Allocate(DeviceAsk ask, IReadOnlyList<string> ids, CancellationToken cancellationToken)
    {
        var endpoint = plugins.Endpoint(ask.Resource) ?? throw Admission.Unexpected($"unknown Device Plugin {ask.Resource}");
        try
        {
            // No deadline: a slow plugin stops the whole node's pods, as it does on a real node.
            var answer = await endpoint.Client.AllocateAsync(
                new() { ContainerRequests = { new ContainerAllocateRequest { DevicesIds = { ids } } } }, cancellationToken: cancellationToken);
            return answer.ContainerResponses.Count > 0
                ? answer.ContainerResponses[0]
                : throw Admission.Unexpected("no containers return in allocation response ");
        }
        catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw Admission.Unexpected(Words.Of(e), e);
        }
    }
}

/// <summary>Reads from a pod what it asks of the device manager.</summary>
internal static class Asking
{
    public static AskingPod Of(V1Pod pod) => new(
        pod.Uid(),
        [
            .. (pod.Spec.InitContainers ?? []).Select(c => Of(c, reusable: !IsSidecar(c))),
            .. pod.Spec.Containers.Select(c => Of(c, reusable: false)),
        ]);

    public static bool IsSidecar(V1Container container) => container.RestartPolicy == "Always";

    /// <summary>How many devices; memory in bytes and the like are beyond devices, and beyond 32 bits.</summary>
    public static int Count(ResourceQuantity quantity) => (int)Math.Clamp(Math.Ceiling(Quantity.Of(quantity)), 0, int.MaxValue);

    private static AskingContainer Of(V1Container container, bool reusable) => new(
        container.Name,
        reusable,
        [.. (container.Resources?.Limits ?? new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal)).Select(l => (l.Key, Count(l.Value)))]);
}
