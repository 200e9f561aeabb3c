using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>What is taken of one card.</summary>
/// <param name="Whole">Containers that asked for the whole card: more than none leaves room for nobody.</param>
/// <param name="Mig">Memory slices under MIG instances, a bit each.</param>
public readonly record struct CardUse(int Slots, int Cores, long MemoryMiB, int Whole = 0, ulong Mig = 0)
{
    public static CardUse operator +(CardUse a, CardUse b) =>
        new(a.Slots + b.Slots, a.Cores + b.Cores, a.MemoryMiB + b.MemoryMiB, a.Whole + b.Whole, a.Mig | b.Mig);

    // Of slices that a has from another pod too a bit cannot tell; NodeUse.Without looks.
    public static CardUse operator -(CardUse a, CardUse b) =>
        new(a.Slots - b.Slots, a.Cores - b.Cores, a.MemoryMiB - b.MemoryMiB, a.Whole - b.Whole, a.Mig & ~b.Mig);

    /// <summary>What one share takes of its card.</summary>
    public static CardUse Of(Share share) => new(
        1, share.Cores, share.MemoryMiB, share.Mig is null && share.Cores >= ContainerAsk.WholeCard ? 1 : 0,
        share.Mig is { } mig ? new MigPlacement(mig.Start, mig.Size).Mask : 0);

    /// <summary>
    /// What the shares of one pod, in order of its containers, take of one card: init containers run one after another, each
    /// beside the sidecars before it, and have ended when the app containers run, so the pod takes the largest of these moments.
    /// </summary>
    public static CardUse Of(IReadOnlyList<Share> shares, string deviceUuid)
    {
        CardUse peak = default, staying = default, passing = default;
        var container = -1;
        for (var i = 0; i < shares.Count; i++)
        {
            var share = shares[i];
            if (!string.Equals(share.DeviceUuid, deviceUuid, StringComparison.Ordinal))
                continue;
            if (!share.EndsBeforeApps)
            {
                staying += Of(share);
                continue;
            }
            if (share.ContainerIndex != container)
                (container, passing) = (share.ContainerIndex, default);
            passing += Of(share);
            peak = Larger(peak, staying + passing);
        }
        return Larger(peak, staying);
    }

    /// <summary>What the shares of one pod take of all cards together.</summary>
    public static QuotaUse Sum(IReadOnlyList<Share> shares)
    {
        long memoryMiB = 0, cores = 0;
        for (var i = 0; i < shares.Count; i++)
        {
            if (!IsFirstOfItsCard(shares, i))
                continue;
            var use = Of(shares, shares[i].DeviceUuid);
            memoryMiB += use.MemoryMiB;
            cores += use.Cores;
        }
        return new(memoryMiB, cores);
    }

    internal static bool IsAnyOf(IReadOnlyList<Share> shares, string deviceUuid)
    {
        for (var i = 0; i < shares.Count; i++)
        {
            if (string.Equals(shares[i].DeviceUuid, deviceUuid, StringComparison.Ordinal))
                return true;
        }
        return false;
    }

    private static bool IsFirstOfItsCard(IReadOnlyList<Share> shares, int at)
    {
        for (var i = 0; i < at; i++)
        {
            if (string.Equals(shares[i].DeviceUuid, shares[at].DeviceUuid, StringComparison.Ordinal))
                return false;
        }
        return true;
    }

    private static CardUse Larger(CardUse a, CardUse b) => new(
        Math.Max(a.Slots, b.Slots), Math.Max(a.Cores, b.Cores), Math.Max(a.MemoryMiB, b.MemoryMiB), Math.Max(a.Whole, b.Whole), a.Mig | b.Mig);
}
