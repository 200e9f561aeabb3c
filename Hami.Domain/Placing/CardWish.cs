using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>Which cards the user wants or wants to avoid; an empty list is no constraint.</summary>
/// <param name="Mode">Text of <c>nvidia.com/vgpu-mode</c>; a card passes when its mode occurs in it. Null is no constraint.</param>
/// <param name="OneNuma">All cards of a container must sit on one NUMA node.</param>
public sealed record CardWish(
    IReadOnlyList<string> UseTypes, IReadOnlyList<string> AvoidTypes, IReadOnlyList<string> UseUuids, IReadOnlyList<string> AvoidUuids,
    string? Mode = null, bool OneNuma = false)
{
    public static readonly CardWish Any = new([], [], [], []);

    /// <summary>True when every card would pass.</summary>
    /// <remarks>Computed each time: kept in the record it would be copied into one that was made of it <c>with</c> other lists.</remarks>
    internal bool AllowsAll =>
        UseTypes.Count == 0 && AvoidTypes.Count == 0 && UseUuids.Count == 0 && AvoidUuids.Count == 0 && Mode is null;

    /// <summary>True when model and mode pass; a word matches as a case-insensitive part of the model.</summary>
    public bool AllowsType(Card card) => AllowsModel(card.Model) && AllowsMode(card.Mode);

    /// <summary>True when the model passes both lists.</summary>
    internal bool AllowsModel(string model) => (UseTypes.Count == 0 || Matches(UseTypes, model)) && !(AvoidTypes.Count > 0 && Matches(AvoidTypes, model));

    /// <summary>True when the mode passes; a card that names none always does.</summary>
    public bool AllowsMode(string mode) => Mode is null || Mode.Contains(mode, StringComparison.Ordinal);

    /// <summary>True when the UUID passes both lists, compared exactly.</summary>
    public bool AllowsUuid(string uuid) =>
        (UseUuids.Count == 0 || Contains(UseUuids, uuid)) && !Contains(AvoidUuids, uuid);

    private static bool Matches(IReadOnlyList<string> words, string model)
    {
        for (var i = 0; i < words.Count; i++)
        {
            if (model.Contains(words[i], StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }

    private static bool Contains(IReadOnlyList<string> uuids, string uuid)
    {
        for (var i = 0; i < uuids.Count; i++)
        {
            if (string.Equals(uuids[i], uuid, StringComparison.Ordinal))
                return true;
        }
        return false;
    }
}
