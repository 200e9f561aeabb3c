using System.Collections.Immutable;

namespace Hami.NodeAgent.Registering;

/// <summary>What NVML told of one card.</summary>
/// <param name="Index">Position in NVML's order.</param>
/// <param name="Name">Product name.</param>
/// <param name="Minor">The number in <c>/dev/nvidia&lt;number&gt;</c>.</param>
/// <param name="MemoryBytes">Null for a card that has no memory of its own to tell of.</param>
/// <param name="Numa">Null when unknown.</param>
/// <param name="InMigMode">Whether it is in MIG mode now.</param>
internal sealed record SeenCard(int Index, string Uuid, string Name, int Minor, ulong? MemoryBytes, int? Numa, bool InMigMode)
{
    /// <summary>The kinds of GPU instances it can be cut into; looked for in MIG mode only.</summary>
    public ImmutableArray<SeenProfile> Profiles { get; init; } = [];
}

/// <summary>One kind of GPU instance of a card.</summary>
/// <param name="Slices">The number before the <c>g</c> of its name.</param>
internal sealed record SeenProfile(int Slices, int Multiprocessors, long MemoryMiB, ImmutableArray<(int Start, int Size)> Placements);

/// <summary>What NVML told of the node at one look.</summary>
/// <param name="Mute">Cards that NVML counts but could not tell of, and why.</param>
internal sealed record SeenCards(ImmutableArray<SeenCard> Cards, ImmutableArray<MuteCard> Mute);

/// <summary>A card that did not answer.</summary>
/// <param name="Uuid">Null when not even that was told.</param>
internal sealed record MuteCard(int Index, string? Uuid, string Reason);
