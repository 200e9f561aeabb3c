using System.Collections.Immutable;

namespace Hami.NodeAgent.Partitioning;

/// <summary>A GPU instance as the card has it.</summary>
/// <param name="Id">Unique on its card while it exists; the next instance may have it again.</param>
/// <param name="Parts">Its compute instances: one, but for half-made ones and those that others cut further.</param>
/// <param name="InUse">A process is on it, or that could not be told.</param>
internal sealed record GpuInstance(MigSeat Seat, int Id, ImmutableArray<ComputeInstance> Parts, bool InUse = false)
{
    public bool Equals(GpuInstance? other) => other is not null && (Seat, Id, InUse) == (other.Seat, other.Id, other.InUse) && Parts.SequenceEqual(other.Parts);

    public override int GetHashCode() => HashCode.Combine(Seat, Id, InUse);
}

/// <param name="Uuid">UUID of the MIG device that programs see; null where there is none.</param>
internal sealed record ComputeInstance(int Id, string? Uuid);

/// <summary>An instance that this agent made, or is about to make: an entry of its <see cref="MigBook"/>.</summary>
/// <param name="Pod">Namespace and name, for people.</param>
/// <param name="OnlyForInits">Only init containers that run to their end have it.</param>
/// <param name="GpuInstance">Null, as the two after it, until it is made.</param>
internal sealed record MadeInstance(
    MigSeat Seat, string PodUid, string Pod, bool OnlyForInits, int? GpuInstance = null, int? ComputeInstance = null, string? Uuid = null);
