using System.Globalization;

namespace Hami.Domain.Placing;

/// <summary>How much slots, cores and memory count in a card's score (<c>hami.io/device-scoring-weights</c>).</summary>
public sealed record ScoringWeights(int Slot, int Core, int Memory)
{
    public static readonly ScoringWeights Equal = new(1, 1, 1);

    /// <summary>What the annotation must look like.</summary>
    public const string Form = "it must be slot=N,core=N,memory=N in any order, each a whole number from 0 on and one above 0";

    /// <summary>The weights, or null when the text is not in <see cref="Form"/>.</summary>
    public static ScoringWeights? TryParse(string text)
    {
        var weights = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var entry in text.Split(','))
        {
            var parts = entry.Split('=', StringSplitOptions.TrimEntries);
            if (parts is not [("slot" or "core" or "memory") and var key, var value]
                || !int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var weight) || !weights.TryAdd(key, weight))
            {
                return null;
            }
        }
        return weights.Count == 3 && weights.Values.Any(w => w > 0) ? new(weights["slot"], weights["core"], weights["memory"]) : null;
    }
}
