using Grpc.Core;
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
    public override Task<ListPodResourcesResponse> List(ListPodResourcesRequest request, ServerCallContext context)
    {
        var answer = new ListPodResourcesResponse();
        foreach (var pod in pods.Active)
        {
            var listed = new PodResources { Name = pod.Metadata.Name, Namespace = pod.Metadata.NamespaceProperty };
            // Init containers that run to completion are not listed, sidecars are.
            foreach (var container in (pod.Spec.InitContainers ?? []).Where(Asking.IsSidecar).Concat(pod.Spec.Containers))
            {
                var resources = new ContainerResources { Name = container.Name };
                foreach (var grant in ledger.Of(pod.Metadata.Uid, container.Name))
                    resources.Devices.Add(grant.DeviceIds.Select(id => new ContainerDevices { ResourceName = grant.Resource, DeviceIds = { id } }));
                listed.Containers.Add(resources);
            }
            answer.PodResources.Add(listed);
        }
        return Task.FromResult(answer);
    }
}
