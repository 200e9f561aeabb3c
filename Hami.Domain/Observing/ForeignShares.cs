using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;

namespace Hami.Domain.Observing;

/// <summary>What HAMi's annotations say that a pod holds.</summary>
/// <param name="Asks">What its containers ask by their spec, in order; it bounds what is believed of the annotations, see <see cref="ForeignBounds"/>.</param>
/// <param name="Shares">Empty when it holds nothing, or when <paramref name="Fault"/> is set.</param>
/// <param name="Source">Where it was read, in a sentence.</param>
/// <param name="Fault">Why it cannot be told, as a sentence; null when it can.</param>
public sealed record ForeignShares(IReadOnlyList<ContainerAsk> Asks, IReadOnlyList<Share> Shares, string Source, string? Fault)
{
    // What the shares of a card add up to stays far from the limit of an int, whoever wrote them.
    private const int MostCores = 100_000;

    // Where the instances of a pod on a MIG card cannot be told, nobody else may be put beside it.
    internal static readonly MigSlice WholeCard = new("unknown", 0, MigPlacement.MostSlices);

    /// <summary>Reads the annotations of a pod that HAMi v2.10 placed.</summary>
    /// <param name="node">The node the pod is on.</param>
    /// <returns>Null when it has none of them.</returns>
    public static ForeignShares? Read(PodShape pod, string node, NvidiaConfig nvidia)
    {
        if (!pod.Annotations.TryGetValue(HamiKeys.PodNode, out var chosen) || !pod.Annotations.TryGetValue(HamiKeys.DevicesAllocated, out var list))
            return null;
        if (chosen != node)
            return Unusable($"the annotation {HamiKeys.PodNode} says {chosen}, but the pod is on {node}");
        if (list.Contains('\0', StringComparison.Ordinal))
            return Unusable($"the annotation {HamiKeys.DevicesAllocated} holds a NUL character");
        var (asks, refusal) = PodAskParser.Containers(pod, nvidia);
        if (refusal is not null)
            return Unusable($"what the pod asks cannot be understood: {refusal.Sentence}");
        try
        {
            bool[] askCards = [.. asks.Select(c => c.Count > 0)];
            var entries = DeviceList.Decode(list);
            if (DeviceList.Align(entries, askCards) is not { } containers)
            {
                return Unusable(
                    $"the annotation {HamiKeys.DevicesAllocated} \"{list}\" has {entries.Count} entries, but the pod {pod.Containers.Count} containers, {askCards.Count(a => a)} of which ask for cards");
            }
            if (containers.SelectMany(c => c).FirstOrDefault(d => d.Uuid.Length == 0 || d.MemoryMiB < 0 || d.Cores is < 0 or > MostCores) is { } bad)
                return Unusable($"the annotation {HamiKeys.DevicesAllocated} \"{list}\" gives {bad.MemoryMiB} MiB and {bad.Cores} cores of card \"{bad.Uuid}\"");
            var isCompacted = entries.Count < pod.Containers.Count;
            return new(
                asks, WithMig(pod, SharesOf(pod, containers)),
                $"{HamiKeys.DevicesAllocated}{(isCompacted ? ", its entries dealt to the containers that ask for cards" : "")}", null);
        }
        catch (FormatException e)
        {
            return Unusable($"the annotation {HamiKeys.DevicesAllocated} cannot be read: {e.Message}");
        }

        static ForeignShares Unusable(string why) => new([], [], "", why);
    }

    private static List<Share> SharesOf(PodShape pod, IReadOnlyList<IReadOnlyList<ListedDevice>> containers) =>
    [
        .. containers.SelectMany((devices, container) => devices
            .Select(d => ShareOf(pod, container, d.Uuid, d.MemoryMiB, d.Cores, null))),
    ];

    private static Share ShareOf(PodShape pod, int container, string uuid, long memoryMiB, int cores, MigSlice? mig) =>
        new(container, pod.Containers[container].Name, pod.Containers[container] is { IsInit: true, IsSidecar: false }, uuid, memoryMiB, cores, mig);

    private static List<Share> WithMig(PodShape pod, List<Share> shares)
    {
        if (!pod.Annotations.TryGetValue(HamiKeys.MigAllocations, out var text))
            return shares;
        List<MigAllocation> instances;
        try
        {
            instances = [.. MigAllocations.Decode(text)];
        }
        catch (FormatException)
        {
            return [.. shares.Select(s => s with { Mig = WholeCard })];
        }
        // By its indexes; then, as HAMi's lists may be compacted and the indexes off, the next on the card.
        Give((instance, at) => instance.ContainerIndex == shares[at].ContainerIndex && instance.DeviceIndex == PositionInContainer(shares, at));
        Give((_, _) => true);
        // What stands in one list only is there all the same.
        foreach (var m in instances.Where(m => m.ContainerIndex < pod.Containers.Count))
            shares.Add(ShareOf(pod, m.ContainerIndex, m.GpuUuid, 0, 0, new(m.Profile, m.Placement!.Start, m.Placement.Size)));
        return [.. shares.OrderBy(s => s.ContainerIndex)];

        void Give(Func<MigAllocation, int, bool> isMeant)
        {
            for (var i = 0; i < shares.Count; i++)
            {
                if (shares[i].Mig is not null || instances.FindIndex(m => m.GpuUuid == shares[i].DeviceUuid && isMeant(m, i)) is not (>= 0 and var found))
                    continue;
                shares[i] = shares[i] with { Mig = new(instances[found].Profile, instances[found].Placement!.Start, instances[found].Placement!.Size) };
                instances.RemoveAt(found);
            }
        }
    }

    private static int PositionInContainer(List<Share> shares, int at) => shares.Take(at).Count(s => s.ContainerIndex == shares[at].ContainerIndex);
}
