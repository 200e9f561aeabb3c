namespace Hami.Domain.Placing.Fragmentation;

/// <summary>Of which kinds the containers of a pod are.</summary>
public static class WorkloadKinds
{
    /// <summary>One kind per container that asks for cards; each is given an equal part of what the pod requests of the host.</summary>
    /// <remarks>UUIDs a pod insists on say nothing about other pods.</remarks>
    public static IReadOnlyList<WorkloadKind> Of(PodAsk ask)
    {
        ArgumentNullException.ThrowIfNull(ask);
        var asking = ask.Containers.Where(c => c.Count > 0).ToList();
        if (asking.Count == 0)
            return [];
        var part = ask.Host is { } host ? new HostRoom(host.CpuMilli / asking.Count, host.MemoryMiB / asking.Count) : null;
        return
        [
            .. asking.Select(c => new WorkloadKind(
                c.Count, c.MemoryMiB, c.MemoryMiB > 0 ? 0 : c.MemoryPercent, c.Cores, part, List(ask.Wish.UseTypes), List(ask.Wish.AvoidTypes))),
        ];
    }

    // The same models in another order are the same kind.
    private static string List(IReadOnlyList<string> types) =>
        types.Count == 0 ? "" : string.Join(',', types.Select(t => t.ToUpperInvariant()).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
}
