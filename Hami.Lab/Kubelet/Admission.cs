using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.Lab.Kubelet;

/// <summary>Who hands devices out: the plugins of a node, or what stands for them on a hollow one.</summary>
internal interface IDeviceSource
{
    /// <summary>Whether the resource is one of devices; others are not the device manager's concern.</summary>
    bool Knows(string resource);

    IReadOnlyList<string> Healthy(string resource);

    /// <summary>Which ids the plugin would rather give; none when it has no opinion. Throws <see cref="AdmissionException"/>.</summary>
    Task<IReadOnlyList<string>> Prefer(
        DeviceAsk ask, IReadOnlyList<string> available, IReadOnlyList<string> mustInclude, CancellationToken cancellationToken);

    /// <summary>Hands the ids out. Throws <see cref="AdmissionException"/>.</summary>
    Task<ContainerAllocateResponse> Allocate(DeviceAsk ask, IReadOnlyList<string> ids, CancellationToken cancellationToken);
}

/// <summary>What one container asks of one resource.</summary>
internal sealed record DeviceAsk(AskingPod Pod, AskingContainer Container, string Resource, int Size);

/// <summary>A pod as far as devices are concerned; init containers first.</summary>
internal sealed record AskingPod(string Uid, IReadOnlyList<AskingContainer> Containers);

/// <summary>A container as far as devices are concerned.</summary>
/// <param name="Reusable">A run-to-completion init container: what it holds is given to later containers of its pod.</param>
/// <param name="Limits">Whole devices by resource; only limits count.</param>
internal sealed record AskingContainer(string Name, bool Reusable, IReadOnlyList<(string Resource, int Count)> Limits);

/// <summary>Gives a pod its devices: init containers first, one preferred and one Allocate call per container, never two pods at once.</summary>
internal sealed class Admission(IDeviceSource devices, DeviceLedger ledger, Random order, Action given)
{
    /// <summary>Admits the pod, or throws <see cref="AdmissionException"/> with the kubelet's words; then it holds nothing.</summary>
    public async Task Admit(AskingPod pod, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var container in pod.Containers)
            {
                foreach (var (resource, count) in container.Limits)
                {
                    if (count > 0 && devices.Knows(resource))
                        await Serve(new(pod, container, resource, count), cancellationToken);
                }
            }
        }
        catch (AdmissionException)
        {
            ledger.Release(pod.Uid);
            throw;
        }
    }

    public static AdmissionException Unexpected(string cause, Exception? inner = null) =>
        new($"Allocate failed due to {cause}, which is unexpected", inner!);

    private async Task Serve(DeviceAsk ask, CancellationToken cancellationToken)
    {
        var healthy = devices.Healthy(ask.Resource);
        if (healthy.Count == 0)
            throw Unexpected($"no healthy devices present; cannot allocate unhealthy devices {ask.Resource}");

        // After a restart of the kubelet the checkpoint already has the answer, and the plugin only has to be there again.
        if (ledger.Of(ask.Pod.Uid, ask.Container.Name).FirstOrDefault(g => g.Resource == ask.Resource) is { } held)
        {
            if (held.DeviceIds.Except(healthy, StringComparer.Ordinal).Any())
                throw Unexpected($"previously allocated devices are no longer healthy; cannot allocate unhealthy devices {ask.Resource}");
            return;
        }
        var ids = await Choose(ask, healthy, cancellationToken);
        var answer = await devices.Allocate(ask, ids, cancellationToken);
        ledger.Give(new(ask.Pod.Uid, ask.Container.Name, ask.Resource, ids, answer), ask.Container.Reusable);
        given();
    }

    private async Task<IReadOnlyList<string>> Choose(DeviceAsk ask, IReadOnlyList<string> healthy, CancellationToken cancellationToken)
    {
        var chosen = ledger.Reusable(ask.Pod.Uid, ask.Resource).Take(ask.Size).ToList();
        if (chosen.Count == ask.Size)
            return Shuffled(chosen);

        var inUse = ledger.InUse(ask.Resource);
        var free = healthy.Where(id => !inUse.Contains(id)).ToList();
        var missing = ask.Size - chosen.Count;
        if (free.Count < missing)
            throw Unexpected($"requested number of devices unavailable for {ask.Resource}. Requested: {missing}, Available: {free.Count}");

        var preferred = await devices.Prefer(ask, Shuffled([.. free, .. chosen]), chosen, cancellationToken);
        var wished = preferred.Where(free.Contains).Distinct(StringComparer.Ordinal).Take(missing).ToList();
        chosen.AddRange(wished);
        chosen.AddRange(free.Except(wished, StringComparer.Ordinal).Take(ask.Size - chosen.Count));
        return Shuffled(chosen);
    }

    // The kubelet keeps ids in sets, so plugins see them in any order; a seed keeps that honest and repeatable.
    private List<string> Shuffled(IEnumerable<string> ids)
    {
        var list = ids.ToArray();
        order.Shuffle(list);
        return [.. list];
    }
}
