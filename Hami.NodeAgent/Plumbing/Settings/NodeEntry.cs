namespace Hami.NodeAgent.Plumbing.Settings;

/// <summary>What the per-node configuration says of this node, over what is said of all; null where it says nothing.</summary>
internal sealed record NodeEntry
{
    public static readonly NodeEntry None = new();

    public string? OperatingMode { get; init; }

    public int? SplitCount { get; init; }

    public double? MemoryScaling { get; init; }

    public double? CoreScaling { get; init; }

    public long? PreConfiguredMemoryMiB { get; init; }

    public string? LibCudaLogLevel { get; init; }

    public bool? NumaTopology { get; init; }

    public MigStrategy? MigStrategy { get; init; }

    public HiddenCards? Hidden { get; init; }

    public bool? PreferredAllocation { get; init; }

    public NodeSettings Over(NodeSettings all) => all with
    {
        OperatingMode = OperatingMode ?? all.OperatingMode,
        SplitCount = SplitCount ?? all.SplitCount,
        MemoryScaling = MemoryScaling ?? all.MemoryScaling,
        CoreScaling = CoreScaling ?? all.CoreScaling,
        PreConfiguredMemoryMiB = PreConfiguredMemoryMiB ?? all.PreConfiguredMemoryMiB,
        LibCudaLogLevel = LibCudaLogLevel ?? all.LibCudaLogLevel,
        NumaTopology = NumaTopology ?? all.NumaTopology,
        MigStrategy = MigStrategy ?? all.MigStrategy,
        Hidden = Hidden ?? all.Hidden,
        PreferredAllocation = PreferredAllocation ?? all.PreferredAllocation,
    };
}
