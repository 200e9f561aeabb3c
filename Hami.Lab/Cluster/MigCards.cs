using Hami.Domain.Protocol;

namespace Hami.Lab.Cluster;

/// <summary>What NVIDIA's A100 can be cut into: seven slices of compute, eight of memory (MIG User Guide, "A100 MIG Profiles").</summary>
public static class MigCards
{
    public static IReadOnlyList<PublishedMigProfile> A100With40GB { get; } = A100(("1g.5gb", 4864), ("2g.10gb", 9984), ("3g.20gb", 20096), ("7g.40gb", 40448));

    public static IReadOnlyList<PublishedMigProfile> A100With80GB { get; } = A100(("1g.10gb", 9728), ("2g.20gb", 19968), ("3g.40gb", 40192), ("7g.80gb", 80896));

    private static PublishedMigProfile[] A100((string, long) one, (string, long) two, (string, long) three, (string, long) seven) =>
    [
        Profile(one, slices: 1, size: 1, 0, 1, 2, 3, 4, 5, 6),
        Profile(two, slices: 2, size: 2, 0, 2, 4),
        Profile(three, slices: 3, size: 4, 0, 4),
        Profile(seven, slices: 7, size: 8, 0),
    ];

    private static PublishedMigProfile Profile((string Name, long MemoryMiB) profile, int slices, int size, params IEnumerable<int> starts) => new()
    {
        Name = profile.Name,
        MemoryMiB = profile.MemoryMiB,
        Cores = (int)Math.Ceiling(100 * slices / 7.0),
        Slices = slices,
        Placements = [.. starts.Select(start => new PublishedMigPlacement { Start = start, Size = size })],
    };
}
