using System.Globalization;
using Hami.Domain.Ledger;

namespace Hami.NodeAgent.Partitioning;

/// <summary>The part of a card that an instance takes, or shall take.</summary>
/// <param name="Card">UUID of the physical card.</param>
/// <param name="Profile">Such as <c>2g.10gb</c>.</param>
internal sealed record MigSeat(string Card, string Profile, MigPlacement Place)
{
    /// <summary>Compute slices, as the profile's name tells them; 0 when it does not.</summary>
    public int Slices => Profile.IndexOf('g') is > 0 and var g && int.TryParse(Profile.AsSpan(0, g), NumberStyles.None, CultureInfo.InvariantCulture, out var slices) ? slices : 0;

    /// <summary>Is it the same kind of instance in the same place? The memory in a name does not count: HAMi says 7g.79gb of what NVIDIA's tools call 7g.80gb.</summary>
    public bool Is(MigSeat other) => Card == other.Card && Place == other.Place && Slices == other.Slices && Suffix(Profile) == Suffix(other.Profile);

    public bool Overlaps(MigSeat other) => Card == other.Card && (Place.Mask & other.Place.Mask) != 0;

    /// <summary>Has whoever gets this at least what the other would have had, in the same slices?</summary>
    public bool Covers(MigSeat other) => Card == other.Card && (other.Place.Mask & ~Place.Mask) == 0 && Slices >= other.Slices;

    public override string ToString() => $"{Profile} at memory slices {Place.Start} to {Place.Start + Place.Size - 1} of card {Card}";

    private static string Suffix(string profile) => profile.IndexOfAny(['+', '-']) is >= 0 and var extras ? profile[extras..] : "";
}
