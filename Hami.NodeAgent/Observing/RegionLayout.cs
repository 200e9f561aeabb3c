namespace Hami.NodeAgent.Observing;

/// <summary>Where things stand in the file that all processes of one container share: HAMi's two formats; ours is its second with more behind it.</summary>
internal sealed record RegionLayout(
    long LeastBytes, int CountAt, int UuidsAt, int LimitsAt, int SlotsAt, int SlotBytes, int UseBytes, int UtilizationAt, int UtilizationBytes, int StatusAt, int TailAt, int TailBytes)
{
    public const int Magic = 19920718, MostDevices = 16, MostSlots = 1024, UuidBytes = 96;
    public const int HostPidAt = 4, UseAt = 8, ContextAt = 0, ModuleAt = 8, BufferAt = 16, TotalAt = 32, MultiprocessorsAt = 16; // in a slot, in a use, in a utilization
    public const int SlotsUsedAt = 0, SwitchAt = 4, RecentAt = 8, PriorityAt = 12, LastKernelAt = 16; // in the tail

    /// <summary>Larger than any that is known; what is larger still is no region.</summary>
    public const long MostBytes = 4 << 20;

    /// <summary>Before HAMi v2.5.</summary>
    public static readonly RegionLayout V0 = new(1_197_896, 48, 56, 1592, 1848, 1168, 40, 776, 24, 1160, 1_197_880, 16);

    public static readonly RegionLayout V1 = new(2_008_952, 56, 64, 1600, 1856, 1960, 64, 1160, 48, 1928, 2_008_896, 24);

    /// <summary>Behind <see cref="V1"/>, see Hami.Interceptor/library/region.h.</summary>
    public static class Extension
    {
        public const long Bytes = 2_867_200, At = 2_011_136, SlotsAt = 4096;
        public const ulong Magic = 0x31746e657645696d;
        public const int Version = 2, SlotBytes = 832, HeadBytes = 24, SlotsHighAt = 16;
    }
}
