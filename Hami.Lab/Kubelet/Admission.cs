using Grpc.Core;
using k8s.Models;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.Lab.Kubelet;

/// <summary>A pod this node cannot take; the message is what its user reads after "Pod was rejected: ".</summary>
internal sealed class AdmissionException : Exception
{
    public AdmissionException(string message) : base(message)
    {
    }

    public AdmissionException(string message, Exception inner) : base(message, inner)
    {
    }

    public AdmissionException()
    {
    }
}

/// <summary>Gives a pod its devices: init containers first, one preferred and one Allocate call per container, never two pods at once.</summary>
internal sealed class Admission(
    DevicePlugins plugins,
    DeviceLedger ledger,
    IReadOnlyCollection<string> deviceResources,
    Random order,
    Action given)
{
    /// <summary>Admits the pod, or throws <see cref="AdmissionException"/> with the kubelet's words; then it holds nothing.</summary>
    public async Task Admit(V1Pod pod, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var container in pod.Spec.InitContainers ?? [])
                await Serve(pod, container, reusableLater: !IsSidecar(container), cancellationToken);
            foreach (var container in pod.Spec.Containers)
                await Serve(pod, container, reusableLater: false, cancellationToken);
        }
        catch (AdmissionException)
        {
            ledger.Release(pod.Uid());
            throw;
        }
    }

    public static bool IsSidecar(V1Container container) => container.RestartPolicy == "Always";

    private async Task Serve(V1Pod pod, V1Container container, bool reusableLater, CancellationToken cancellationToken)
    {
        // Only limits count.
        foreach (var (resource, quantity) in container.Resources?.Limits ?? new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal))
        {
            if (!plugins.Knows(resource) && !deviceResources.Contains(resource))
                continue;
            var size = quantity.ToInt32();
            // After a restart of the kubelet the checkpoint already has the answer.
            if (size <= 0 || ledger.Of(pod.Uid(), container.Name).Any(g => g.Resource == resource))
                continue;
            var ids = await Choose(pod, resource, size, cancellationToken);
            var answer = await Allocate(resource, ids, cancellationToken);
            ledger.Give(new(pod.Uid(), container.Name, resource, ids, answer), reusableLater);
            given();
        }
    }

    private async Task<IReadOnlyList<string>> Choose(V1Pod pod, string resource, int size, CancellationToken cancellationToken)
    {
        var healthy = plugins.Healthy(resource);
        if (healthy.Count == 0)
            throw Unexpected($"no healthy devices present; cannot allocate unhealthy devices {resource}");

        var chosen = ledger.Reusable(pod.Uid(), resource).Take(size).ToList();
        if (chosen.Count == size)
            return Shuffled(chosen);

        var inUse = ledger.InUse(resource);
        var free = healthy.Where(id => !inUse.Contains(id)).ToList();
        var missing = size - chosen.Count;
        if (free.Count < missing)
            throw Unexpected($"requested number of devices unavailable for {resource}. Requested: {missing}, Available: {free.Count}");

        var preferred = await Preferred(resource, [.. free, .. chosen], chosen, size, cancellationToken);
        var wished = preferred.Where(free.Contains).Distinct(StringComparer.Ordinal).Take(missing).ToList();
        chosen.AddRange(wished);
        chosen.AddRange(free.Except(wished, StringComparer.Ordinal).Take(size - chosen.Count));
        return Shuffled(chosen);
    }

    private async Task<IReadOnlyList<string>> Preferred(
        string resource, IReadOnlyList<string> available, IReadOnlyList<string> mustInclude, int size, CancellationToken cancellationToken)
    {
        if (plugins.Endpoint(resource) is not { Options.GetPreferredAllocationAvailable: true } endpoint)
            return [];
        var request = new ContainerPreferredAllocationRequest { AllocationSize = size };
        request.AvailableDeviceIDs.Add(Shuffled(available));
        request.MustIncludeDeviceIDs.Add(mustInclude);
        try
        {
            var answer = await endpoint.Client.GetPreferredAllocationAsync(
                new() { ContainerRequests = { request } }, cancellationToken: cancellationToken);
            return answer.ContainerResponses.Count > 0 ? [.. answer.ContainerResponses[0].DeviceIDs] : [];
        }
        catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw Unexpected($"device plugin GetPreferredAllocation rpc failed with err: {Words.Of(e)}", e);
        }
    }

    private async Task<ContainerAllocateResponse> Allocate(string resource, IReadOnlyList<string> ids, CancellationToken cancellationToken)
    {
        var endpoint = plugins.Endpoint(resource) ?? throw Unexpected($"endpoint not found in cache for a registered resource: {resource}");
        try
        {
            // No deadline: a slow plugin stops the whole node's pods, as it does on a real node.
            var answer = await endpoint.Client.AllocateAsync(
                new() { ContainerRequests = { new ContainerAllocateRequest { DevicesIds = { ids } } } }, cancellationToken: cancellationToken);
            return answer.ContainerResponses.Count > 0
                ? answer.ContainerResponses[0]
                : throw Unexpected("no containers return in allocation response ");
        }
        catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw Unexpected(Words.Of(e), e);
        }
    }

    // The kubelet keeps ids in sets, so plugins see them in any order; a seed keeps that honest and repeatable.
    private List<string> Shuffled(IEnumerable<string> ids)
    {
        var list = ids.ToArray();
        order.Shuffle(list);
        return [.. list];
    }

    private static AdmissionException Unexpected(string cause, Exception? inner = null) =>
        new($"Allocate failed due to {cause}, which is unexpected", inner!);
}
