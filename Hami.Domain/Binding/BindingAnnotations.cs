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
        return new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [HamiKeys.AllocationId] = allocation.Id.ToString(),
            [HamiKeys.PodNode] = node,
            [HamiKeys.PodTime] = seconds,
            [HamiKeys.DevicesToAllocate] = devices,
            [HamiKeys.DevicesAllocated] = devices,
            [HamiKeys.BindPhase] = BindPhases.Allocating,
            [HamiKeys.BindTime] = seconds,
        };
    }

    public static IReadOnlyDictionary<string, string> Labels(string node) =>
        node.Length > LongestLabelValue
            ? new Dictionary<string, string>(StringComparer.Ordinal)
            : new Dictionary<string, string>(StringComparer.Ordinal) { [HamiKeys.PodNode] = node };

    private static ListedDevice[] Devices(Allocation allocation, int container) =>
        [.. allocation.Shares.Where(s => s.ContainerIndex == container)
            .Select(s => new ListedDevice(s.DeviceUuid, ResourceNames.VendorWord, s.MemoryMiB, s.Cores))];
}
