using Hami.Domain.Protocol;

namespace Hami.NodeAgent.Registering;

/// <summary>One physical card of this node.</summary>
/// <param name="Model">Product name as NVML tells it.</param>
/// <param name="MemoryMiB">Real memory, before any scaling.</param>
/// <param name="Numa">NUMA node; null when unknown.</param>
/// <param name="Mig">What it can be cut into when it is in MIG mode; null when it is not.</param>
internal sealed record Card(string Uuid, string Model, long MemoryMiB, int? Numa, bool Healthy, MigProfiles? Mig = null)
{
    /// <summary>Position in NVML's order.</summary>
    public int Index { get; init; }

    /// <summary>The number in <c>/dev/nvidia&lt;number&gt;</c>.</summary>
    public int Minor { get; init; }

    /// <summary>How many containers may share it: in MIG mode as many as there can be instances.</summary>
    public int Slots(int splitCount) => Mig?.MostInstances ?? splitCount;
}

/// <summary>The kinds of MIG instances of a card; equal when they say the same.</summary>
internal sealed class MigProfiles(IReadOnlyList<PublishedMigProfile> all) : IEquatable<MigProfiles>
{
    private readonly string text = NodeRegister.Encode([new() { MigProfiles = all }]);

    public IReadOnlyList<PublishedMigProfile> All => all;

    public int MostInstances => all.Max(profile => profile.Placements.Count);

    public bool Equals(MigProfiles? other) => text == other?.text;

    public override bool Equals(object? obj) => Equals(obj as MigProfiles);

    public override int GetHashCode() => StringComparer.Ordinal.GetHashCode(text);
}
