using Hami.Domain.Protocol;

namespace Hami.NodeAgent.Allocating;

/// <summary>What one container of a pod was given by the scheduler; no device for one that asks for none.</summary>
/// <param name="IsInit">An init container; sidecars are among them.</param>
/// <param name="Unlimited">The container's own environment has a true <c>CUDA_DISABLE_CONTROL</c>: HAMi then leaves the library out.</param>
internal sealed record ContainerShare(string Name, bool IsInit, IReadOnlyList<ListedDevice> Devices, bool Unlimited);

/// <summary>Brings the entries of a device list together with the containers they are for.</summary>
internal static class ShareList
{
    /// <summary>
    /// One entry for each container, in the containers' order. HAMi v2.10 often leaves empty entries out; such a compacted list is
    /// dealt to the containers that ask for devices, in order.
    /// </summary>
    /// <param name="asks">For each container, init containers first: does it ask for devices?</param>
    /// <returns>Null when the list fits neither way.</returns>
    public static IReadOnlyList<IReadOnlyList<ListedDevice>>? Align(
        IReadOnlyList<IReadOnlyList<ListedDevice>> entries, IReadOnlyList<bool> asks)
    {
        // HAMi's plugin adds one empty entry at the end each time it rewrites a list.
        var length = entries.Count;
        while (length > asks.Count && entries[length - 1].Count == 0)
            length--;
        if (length == asks.Count)
            return [.. entries.Take(length)];

        var filled = new Queue<IReadOnlyList<ListedDevice>>(entries.Where(e => e.Count > 0));
        if (filled.Count != asks.Count(a => a))
            return null;
        return [.. asks.Select(a => a ? filled.Dequeue() : [])];
    }
}
