namespace Hami.NodeAgent.Plumbing.Settings;

/// <summary>What the command line or the environment settles for this node, over whatever files say; null where they do not.</summary>
internal sealed record GivenSettings
{
    public static readonly GivenSettings None = new();

    public string? ResourceName { get; init; }

    public int? SplitCount { get; init; }

    public double? MemoryScaling { get; init; }

    public double? CoreScaling { get; init; }

    public bool? DisableCoreLimit { get; init; }

    public MigStrategy? MigStrategy { get; init; }

    public NodeSettings Over(NodeSettings files) => files with
    {
        ResourceName = ResourceName ?? files.ResourceName,
        SplitCount = SplitCount ?? files.SplitCount,
        MemoryScaling = MemoryScaling ?? files.MemoryScaling,
        CoreScaling = CoreScaling ?? files.CoreScaling,
        DisableCoreLimit = DisableCoreLimit ?? files.DisableCoreLimit,
        MigStrategy = MigStrategy ?? files.MigStrategy,
    };

    /// <summary>One sentence on the first value that cannot work; null when all can.</summary>
    public string? Fault()
    {
        if (SplitCount is < 1 or > 1000)
            return $"--device-split-count is {SplitCount}; it must be from 1 to 1000.";
        if (MemoryScaling is { } memory && (!double.IsFinite(memory) || memory <= 0))
            return $"--device-memory-scaling is {memory}; it must be above 0.";
        if (CoreScaling is { } cores && (!double.IsFinite(cores) || cores <= 0))
            return $"--device-cores-scaling is {cores}; it must be above 0.";
        return null;
    }
}
