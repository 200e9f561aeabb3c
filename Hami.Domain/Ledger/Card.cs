namespace Hami.Domain.Ledger;

/// <summary>One card of a node, as its agent registered it.</summary>
/// <param name="Uuid">UUID of the physical card.</param>
/// <param name="Index">NVML index.</param>
/// <param name="Model">Product name, as published.</param>
/// <param name="MemoryMiB">Device memory in MiB, memory scaling applied.</param>
/// <param name="Cores">Percent of compute; 100 is one whole card, more with core scaling.</param>
/// <param name="Slots">How many containers may share the card.</param>
/// <param name="Numa">NUMA node; 0 also when unknown.</param>
/// <param name="Mode"><c>hami-core</c>, <c>mig</c> or <c>mps</c>.</param>
/// <param name="MigProfiles">The instances a card in mode <c>mig</c> can be cut into; null for other modes.</param>
public sealed record Card(
    string Uuid, int Index, string Model, long MemoryMiB, int Cores, int Slots, int Numa, string Mode, bool Healthy,
    IReadOnlyList<MigProfile>? MigProfiles = null)
{
    /// <summary>True when the card is cut into MIG instances.</summary>
    public bool IsMig => Mode == MigMode;

    internal const string MigMode = "mig";

    /// <summary>Who makes it; so far cards of one vendor are registered.</summary>
    public string Vendor { get; } = Protocol.ResourceNames.VendorWord;

    /// <summary>By content: two readings of one annotation are the same card.</summary>
    public bool Equals(Card? other) =>
        other is not null && (Uuid, Index, Model, MemoryMiB, Cores, Slots, Numa, Mode, Healthy)
            == (other.Uuid, other.Index, other.Model, other.MemoryMiB, other.Cores, other.Slots, other.Numa, other.Mode, other.Healthy)
        && (MigProfiles ?? []).SequenceEqual(other.MigProfiles ?? []);

    public override int GetHashCode() => HashCode.Combine(Uuid, MemoryMiB, Slots, Healthy);
}

/// <summary>A kind of MIG instance, as NVML lists it for a card.</summary>
/// <param name="Name">Such as <c>2g.10gb</c>.</param>
/// <param name="MemoryMiB">Device memory of one instance in MiB.</param>
/// <param name="Cores">Percent of the card's compute that one instance has.</param>
/// <param name="Slices">Compute slices of one instance.</param>
/// <param name="Placements">Where on the card such an instance may begin.</param>
public sealed record MigProfile(string Name, long MemoryMiB, int Cores, int Slices, IReadOnlyList<MigPlacement> Placements)
{
    public bool Equals(MigProfile? other) =>
        other is not null && (Name, MemoryMiB, Cores, Slices) == (other.Name, other.MemoryMiB, other.Cores, other.Slices)
        && Placements.SequenceEqual(other.Placements);

    public override int GetHashCode() => HashCode.Combine(Name, MemoryMiB, Cores, Slices);
}

/// <summary>Memory slices <paramref name="Start"/> to <paramref name="Start"/> + <paramref name="Size"/> − 1 of a card.</summary>
public sealed record MigPlacement(int Start, int Size)
{
    /// <summary>No card has more memory slices.</summary>
    public const int MostSlices = 64;

    /// <summary>One bit per memory slice taken.</summary>
    public ulong Mask => (Size >= MostSlices ? ulong.MaxValue : (1UL << Size) - 1) << Start;
}

/// <summary>How well two cards are connected; HAMi's pair score, higher is closer.</summary>
public sealed record CardLink(string From, string To, int Score);
