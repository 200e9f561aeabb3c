using System.Collections.Immutable;
using System.Globalization;

namespace Hami.NodeAgent.Registering.Health;

/// <summary>Which XID errors say that a card is ill.</summary>
/// <param name="Ignored">Those that do not.</param>
/// <param name="Enabled">Those that do, whatever else is said.</param>
internal sealed record XidRules(bool AllIgnored, bool AllEnabled, ImmutableHashSet<int> Ignored, ImmutableHashSet<int> Enabled)
{
    // HAMi's list, which is NVIDIA's: errors of the program, not of the card (NVIDIA, "XID Errors").
    private static readonly ImmutableHashSet<int> OfPrograms = [13, 31, 43, 45, 68, 109];

    public static readonly XidRules Usual = new(AllIgnored: false, AllEnabled: false, OfPrograms, []);

    /// <summary>No error counts: there is nothing to listen for.</summary>
    public bool Off => AllIgnored && !AllEnabled && Enabled.IsEmpty;

    /// <param name="disable">HAMi's <c>DP_DISABLE_HEALTHCHECKS</c>.</param>
    /// <param name="enable">HAMi's <c>DP_ENABLE_HEALTHCHECKS</c>: stronger; where HAMi's list cannot revive what <c>all</c> turned off, ours does.</param>
    public static XidRules Of(string? disable, string? enable)
    {
        var (allOff, off) = List(disable);
        var (allOn, on) = List(enable);
        return new(allOff, allOn, OfPrograms.Union(off), on);
    }

    public bool Count(int xid) => AllEnabled || Enabled.Contains(xid) || (!AllIgnored && !Ignored.Contains(xid));

    public bool Equals(XidRules? other) => other is not null && (AllIgnored, AllEnabled) == (other.AllIgnored, other.AllEnabled)
        && Ignored.SetEquals(other.Ignored) && Enabled.SetEquals(other.Enabled);

    public override int GetHashCode() => HashCode.Combine(AllIgnored, AllEnabled, Ignored.Count, Enabled.Count);

    private static (bool All, ImmutableHashSet<int> Numbers) List(string? text)
    {
        var words = (text ?? "").ToLowerInvariant().Split(',', StringSplitOptions.TrimEntries);
        return (words.Any(w => w is "all" or "xids"),
            [.. words.Select(w => int.TryParse(w, NumberStyles.None, CultureInfo.InvariantCulture, out var xid) ? xid : 0).Where(x => x > 0)]);
    }
}
