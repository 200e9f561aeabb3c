using System.Globalization;
using Hami.Domain.Protocol;
using Hami.NodeAgent.Partitioning;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Cluster;

namespace Hami.NodeAgent.Allocating;

/// <summary>A pod of this node as far as handing out devices is concerned.</summary>
/// <param name="Order">Position in the order of binding.</param>
/// <param name="Over">It has ended, or has been refused: nothing is handed out for it any more.</param>
/// <param name="Fault">Why it has no valid allocation, as a sentence; null when it has one.</param>
/// <param name="Asks">It asks for our resource at all.</param>
/// <param name="Containers">Init containers first; empty when <paramref name="Fault"/> is set.</param>
internal sealed record PodOnNode(
    string Uid, string Namespace, string Name, long Order, string Phase, bool Over, bool Asks, string? Fault, IReadOnlyList<ContainerShare> Containers)
{
    public string FullName => $"{Namespace}/{Name}";

    /// <summary>The same pod as a holder of MIG instances.</summary>
    public required MigPod Mig { get; init; }

    /// <summary>The containers that get devices.</summary>
    public IEnumerable<ContainerShare> Shares => Containers.Where(c => c.Devices.Count > 0);

    /// <param name="signatures">Who may have written the annotations; null when that is not asked.</param>
    public static PodOnNode From(SeenPod seen, string resourceName, SignatureCheck? signatures = null)
    {
        var pod = seen.Pod;
        var init = pod.Spec.InitContainers ?? [];
        Container[] all = [.. init, .. pod.Spec.Containers ?? []];
        bool[] asks = [.. all.Select(c => Wants(c, resourceName))];
        var entries = Entries(pod, asks, signatures, out var fault);
        return new(
            pod.Uid, pod.Namespace, pod.Name, seen.Order,
            pod.Annotation(HamiKeys.BindPhase) ?? "",
            pod.Status?.Phase is "Succeeded" or "Failed" || pod.Annotation(HamiKeys.BindPhase) == BindPhases.Failed,
            Array.Exists(asks, a => a),
            fault,
            entries is null ? [] : [.. all.Select((c, i) => Share(c, i < init.Count, entries[i]))])
        {
            Mig = MigPod.Of(pod, trusted: fault is null),
        };
    }

    private static IReadOnlyList<IReadOnlyList<ListedDevice>>? Entries(Pod pod, bool[] asks, SignatureCheck? signatures, out string? fault)
    {
        var who = $"Pod {pod.Namespace}/{pod.Name}";
        fault = null;
        if (pod.Annotation(HamiKeys.DevicesAllocated) is not { } list
            || (pod.Annotation(HamiKeys.AllocationId) is not { Length: > 0 } && signatures is not { AcceptsUnsigned: true }))
        {
            fault = $"{who} was not placed by the HAMi scheduler (no annotation {HamiKeys.DevicesAllocated} with {HamiKeys.AllocationId}); "
                + "set schedulerName to the HAMi scheduler's and create the pod again.";
            return null;
        }
        if ((fault = signatures?.Fault(pod, list)) is not null)
            return null;
        try
        {
            var entries = DeviceList.Align(DeviceList.Decode(list), asks);
            if (entries is null)
                fault = $"{who} has {asks.Length} containers, {asks.Count(a => a)} of which ask for devices, but its annotation "
                    + $"{HamiKeys.DevicesAllocated} \"{list}\" does not fit them; create the pod again.";
            return entries;
        }
        catch (FormatException e)
        {
            fault = $"{who} has an annotation {HamiKeys.DevicesAllocated} that cannot be read: {e.Message} Create the pod again.";
            return null;
        }
    }

    private static bool Wants(Container container, string resourceName)
    {
        var resources = container.Resources;
        var quantity = resources?.Limits is { } limits && limits.TryGetValue(resourceName, out var limit) ? limit
            : resources?.Requests is { } requests && requests.TryGetValue(resourceName, out var request) ? request : (Quantity?)null;
        return quantity is { IsPositive: true };
    }

    private static ContainerShare Share(Container container, bool isInit, IReadOnlyList<ListedDevice> devices) => new(
        container.Name, isInit, devices,
        // The words of Go's strconv.ParseBool, which HAMi uses.
        Unlimited: Variable(container, "CUDA_DISABLE_CONTROL") is "1" or "t" or "T" or "TRUE" or "true" or "True")
    {
        Priority = int.TryParse(Variable(container, "CUDA_TASK_PRIORITY"), NumberStyles.None, CultureInfo.InvariantCulture, out var priority) ? priority : 1,
        CorePolicy = Variable(container, "GPU_CORE_UTILIZATION_POLICY"),
    };

    // Of two of one name the container gets the later.
    private static string? Variable(Container container, string name) => container.Env?.LastOrDefault(e => e.Name == name)?.Value;
}
