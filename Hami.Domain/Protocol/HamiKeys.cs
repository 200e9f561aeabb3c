namespace Hami.Domain.Protocol;

/// <summary>Annotation and label keys of HAMi v2.10, and the few of our own, exactly as they stand in the cluster.</summary>
public static class HamiKeys
{
    /// <summary>Node: JSON array of the node's NVIDIA devices; written by the node agent.</summary>
    public const string NodeRegister = "hami.io/node-nvidia-register";

    /// <summary>Node: JSON array of pair scores, how well the node's NVIDIA devices are connected; written by the node agent.</summary>
    public const string NodeScore = "hami.io/node-nvidia-score";

    /// <summary>Node, by the admin: comma list of device UUIDs that take no new pods.</summary>
    public const string DeviceCordon = "hami.io/device-cordon";

    /// <summary>Node: HAMi's lock between the bind of a pod and the end of its Allocate.</summary>
    public const string NodeLock = "hami.io/mutex.lock";

    /// <summary>Node: version of our node agent, written with its registration; a node without it has HAMi's device plugin. Ours, not HAMi's.</summary>
    public const string NodeAgent = "hami.io/node-agent";

    /// <summary>Pod annotation and label: the node its devices were chosen on.</summary>
    public const string PodNode = "hami.io/vgpu-node";

    /// <summary>Pod: unix seconds of the decision, decimal text.</summary>
    public const string PodTime = "hami.io/vgpu-time";

    /// <summary>Pod: device list (<see cref="DeviceList"/>) that the device plugin still has to hand out.</summary>
    public const string DevicesToAllocate = "hami.io/vgpu-devices-to-allocate";

    /// <summary>Pod: device list (<see cref="DeviceList"/>), the durable record of what the pod was given.</summary>
    public const string DevicesAllocated = "hami.io/vgpu-devices-allocated";

    /// <summary>Pod: JSON array of the MIG instances chosen for it.</summary>
    public const string MigAllocations = "hami.io/vgpu-mig-allocations";

    /// <summary>Pod: how far the node has come, one of <see cref="BindPhases"/>.</summary>
    public const string BindPhase = "hami.io/bind-phase";

    /// <summary>Pod: unix seconds of the Binding, decimal text.</summary>
    public const string BindTime = "hami.io/bind-time";

    /// <summary>Pod: id of the allocation in our log (a UUID); ours, not HAMi's.</summary>
    public const string AllocationId = "hami.io/allocation-id";

    /// <summary>Pod: by whom its devices were chosen, see <see cref="AllocationSignature"/>; ours, not HAMi's.</summary>
    public const string AllocationSignature = "hami.io/allocation-signature";

    /// <summary>Pod: log position of the latest gain that may fit it, written to wake kube-scheduler; ours, not HAMi's.</summary>
    public const string Wake = "hami.io/wake";

    /// <summary>Pod: written when an unfinished bind is given up, so that any Binding still in flight fails; ours, not HAMi's.</summary>
    public const string BindSettled = "hami.io/bind-settled";

    /// <summary>Pod, by the user: policy over nodes.</summary>
    public const string NodePolicy = "hami.io/node-scheduler-policy";

    /// <summary>Pod, by the user: policy over the cards of a node.</summary>
    public const string GpuPolicy = "hami.io/gpu-scheduler-policy";

    /// <summary>Pod, by the user: what slots, cores and memory count in a card's score, <c>slot=1,core=1,memory=1</c>.</summary>
    public const string ScoringWeights = "hami.io/device-scoring-weights";

    /// <summary>Pod, by the user: modes of cards to use, such as <c>mig</c>.</summary>
    public const string GpuMode = "nvidia.com/vgpu-mode";

    /// <summary>Pod, by the user: a Go boolean; true keeps the cards of a container on one NUMA node.</summary>
    public const string NumaBind = "nvidia.com/numa-bind";

    /// <summary>Pod label: name of the pod group a pod is a member of.</summary>
    public const string PodGroup = "scheduling.x-k8s.io/pod-group";

    /// <summary>Pod, by the user: comma list of card models to use; a substring of the device type, case-insensitive.</summary>
    public const string UseGpuType = "nvidia.com/use-gputype";

    /// <summary>Pod, by the user: comma list of card models to avoid.</summary>
    public const string NoUseGpuType = "nvidia.com/nouse-gputype";

    /// <summary>Pod, by the user: comma list of card UUIDs to use (HAMi spells it with three u).</summary>
    public const string UseGpuUuid = "nvidia.com/use-gpuuuid";

    /// <summary>Pod, by the user: comma list of card UUIDs to avoid.</summary>
    public const string NoUseGpuUuid = "nvidia.com/nouse-gpuuuid";
}

/// <summary>Values of <see cref="HamiKeys.BindPhase"/>.</summary>
public static class BindPhases
{
    public const string Allocating = "allocating";
    public const string Success = "success";
    public const string Failed = "failed";
}
