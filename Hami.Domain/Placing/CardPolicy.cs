namespace Hami.Domain.Placing;

/// <summary>In which order the cards of a node are taken, and which are left out, as <c>hami.io/gpu-scheduler-policy</c> says it.</summary>
/// <remarks>
/// One of <c>binpack</c>, <c>spread</c>, <c>topology-aware</c>, <c>mutex</c>, <c>numa</c>, <c>fragmentation</c>, or a comma list: its
/// <c>binpack</c>, <c>spread</c> and <c>numa</c> are keys in written order, the others apply whatever their place.
/// </remarks>
public sealed record CardPolicy(string Word)
{
    /// <summary>What the annotation may say.</summary>
    public const string Words = "binpack, spread, topology-aware, mutex, numa, fragmentation or a comma list of them";

    public static readonly CardPolicy Binpack = new("binpack");
    public static readonly CardPolicy Spread = new("spread");

    /// <summary>What cards are compared by, first key first; a later key breaks ties.</summary>
    internal IReadOnlyList<CardKey> Keys { get; } = KeysOf(Parts(Word));

    /// <summary>Take only cards that nobody uses.</summary>
    internal bool IdleOnly { get; } = Parts(Word).Contains("mutex");

    /// <summary>Take the cards that are connected best; for one card, the one connected worst.</summary>
    internal bool BestConnected { get; } = Parts(Word).Contains("topology-aware");

    /// <summary>Take the cards whose leftovers stay most useful for the typical workload.</summary>
    internal bool LeastFragmenting { get; } = Parts(Word).Contains("fragmentation");

    /// <summary>The word says all.</summary>
    public bool Equals(CardPolicy? other) => other is not null && Word == other.Word;

    public override int GetHashCode() => Word.GetHashCode(StringComparison.Ordinal);

    /// <summary>The policy, or null when the text is empty or has a word that names none.</summary>
    public static CardPolicy? TryParse(string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
            return null;
        var parts = Parts(text);
        return parts.Length > 0 && parts.All(p => p is "binpack" or "spread" or "topology-aware" or "mutex" or "numa" or "fragmentation")
            ? new(string.Join(',', parts))
            : null;
    }

    private static string[] Parts(string word) => word.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    private static CardKey[] KeysOf(string[] parts)
    {
        CardKey[] keys = [.. parts.Select(AsKey).OfType<CardKey>().Distinct()];
        // Without a comma HAMi breaks ties by NUMA node; a list says itself whether NUMA counts.
        return parts is ["mutex"] ? [CardKey.LeastUsers, CardKey.HighestNuma]
            : parts is ["binpack"] ? [CardKey.Fullest, CardKey.HighestNuma]
            : parts is ["numa"] || keys.Length > 0 && parts.Length > 1 ? keys
            : parts.Length > 1 ? [CardKey.Emptiest]
            : [CardKey.Emptiest, CardKey.HighestNuma];
    }

    private static CardKey? AsKey(string part) => part switch
    {
        "binpack" => CardKey.Fullest,
        "spread" => CardKey.Emptiest,
        "numa" => CardKey.HighestNuma,
        _ => null,
    };
}

/// <summary>One thing that cards are compared by; it says which comes first.</summary>
internal enum CardKey
{
    Fullest,
    Emptiest,
    LeastUsers,
    HighestNuma,
    LowestNuma,
}
