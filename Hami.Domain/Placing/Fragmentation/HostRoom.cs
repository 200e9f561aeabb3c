namespace Hami.Domain.Placing.Fragmentation;

/// <summary>CPU and memory of a node's host: what is free there, or what a pod requests.</summary>
/// <param name="CpuMilli">Thousandths of a CPU core.</param>
/// <param name="MemoryMiB">Host memory in MiB.</param>
public readonly record struct HostRoom(long CpuMilli, long MemoryMiB)
{
    /// <summary>Nothing is known of the host, so it never binds.</summary>
    public static readonly HostRoom Unknown = new(long.MaxValue, long.MaxValue);

    /// <summary>What is left after <paramref name="taken"/>; never below zero, and unknown stays unknown.</summary>
    public HostRoom Less(HostRoom taken) => new(Less(CpuMilli, taken.CpuMilli), Less(MemoryMiB, taken.MemoryMiB));

    public bool Holds(HostRoom asked) => CpuMilli >= asked.CpuMilli && MemoryMiB >= asked.MemoryMiB;

    private static long Less(long free, long taken) => free == long.MaxValue ? free : Math.Max(0, free - taken);
}
