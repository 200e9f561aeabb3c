using Grpc.Core;
using k8s.Models;
using Kubelet.DevicePlugin.V1Beta1;
using Kubelet.PodResources.V1;

namespace Hami.Lab.Kubelet;

/// <summary>Where plugins register.</summary>
internal sealed class RegistrationOnSocket(DevicePlugins plugins) : Registration.RegistrationBase
{
    public override async Task<Empty> Register(RegisterRequest request, ServerCallContext context)
    {
        await plugins.Register(request, context.CancellationToken);
        return new();
    }
}

/// <summary>Who holds which devices; answers while an Allocate is under way, and lists the pod being admitted.</summary>
internal sealed class PodResourcesOnSocket(PodDirectory pods, DeviceLedger ledger) : PodResourcesLister.PodResourcesListerBase
{
    // A plugin asks for each container that is admitted, and of a full node one pod in a hundred is new then.
    private Dictionary<string, Told> _told = new(StringComparer.Ordinal);

    private sealed record Told(IReadOnlyList<DeviceGrant> Grants, PodResources Pod);

    public override Task<ListPodResourcesResponse> List(ListPodResourcesRequest request, ServerCallContext context)
    {
        var answer = new ListPodResourcesResponse();
        var (before, now) = (_told, new Dictionary<string, Told>(StringComparer.Ordinal));
        foreach (var pod in pods.Active)
        {
            var grants = ledger.Of(pod.Metadata.Uid);
            if (before.GetValueOrDefault(pod.Metadata.Uid) is not { } told || !ReferenceEquals(told.Grants, grants))
                told = new(grants, Listed(pod, grants));
            now[pod.Metadata.Uid] = told;
            answer.PodResources.Add(told.Pod);
        }
        _told = now;
        return Task.FromResult(answer);
    }

    private static PodResources Listed(V1Pod pod, IReadOnlyList<DeviceGrant> grants)
    {
        var listed = new PodResources { Name = pod.Metadata.Name, Namespace = pod.Metadata.NamespaceProperty };
        // Init containers that run to completion are not listed, sidecars are.
        foreach (var container in (pod.Spec.InitContainers ?? []).Where(Asking.IsSidecar).Concat(pod.Spec.Containers))
        {
            var resources = new ContainerResources { Name = container.Name };
            foreach (var grant in grants.Where(g => g.Container == container.Name))
                resources.Devices.Add(grant.DeviceIds.Select(id => new ContainerDevices { ResourceName = grant.Resource, DeviceIds = { id } }));
            listed.Containers.Add(resources);
        }
        return listed;
    }
}
