using Hami.Domain.Ledger;
using Hami.Domain.Protocol;

namespace Hami.Domain.Binding;

/// <summary>What the Binding object carries onto the pod together with its node.</summary>
public static class BindingAnnotations
{
    // Kubernetes' limit on the value of a label; node names may be longer.
    private const int LongestLabelValue = 63;

    public static IReadOnlyDictionary<string, string> Annotations(Allocation allocation, string node, DateTimeOffset now)
    {
        var seconds = now.ToUnixTimeSeconds().ToString();
        var devices = DeviceList.Encode(Enumerable.Range(0, allocation.Containers).Select(c => Devices(allocation, c)));
        var annotations = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [HamiKeys.AllocationId] = allocation.Id.ToString(),
            [HamiKeys.PodNode] = node,
            [HamiKeys.PodTime] = seconds,
            [HamiKeys.DevicesToAllocate] = devices,
            [HamiKeys.DevicesAllocated] = devices,
            [HamiKeys.BindPhase] = BindPhases.Allocating,
            [HamiKeys.BindTime] = seconds,
        };
        if (Mig(allocation) is { Count: > 0 } instances)
            annotations[HamiKeys.MigAllocations] = MigAllocations.Encode(instances);
        return annotations;
    }

    public static IReadOnlyDictionary<string, string> Labels(string node) =>
        node.Length > LongestLabelValue
            ? new Dictionary<string, string>(StringComparer.Ordinal)
            : new Dictionary<string, string>(StringComparer.Ordinal) { [HamiKeys.PodNode] = node };

    private static List<MigAllocation> Mig(Allocation allocation) =>
    [
        .. allocation.Shares.GroupBy(s => s.ContainerIndex).OrderBy(c => c.Key)
            .SelectMany(container => container.Select((share, device) => (Share: share, Device: device)))
            .Where(s => s.Share.Mig is not null)
            .Select(s => new MigAllocation
            {
                ContainerIndex = s.Share.ContainerIndex,
                DeviceIndex = s.Device,
                GpuUuid = s.Share.DeviceUuid,
                Profile = s.Share.Mig!.Profile,
                Placement = new() { Start = s.Share.Mig.Start, Size = s.Share.Mig.Size },
            }),
    ];

    private static ListedDevice[] Devices(Allocation allocation, int container) =>
        [.. allocation.Shares.Where(s => s.ContainerIndex == container)
            .Select(s => new ListedDevice(s.DeviceUuid, ResourceNames.VendorWord, s.MemoryMiB, s.Cores))];
}
