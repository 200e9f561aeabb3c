namespace Hami.Domain.Placing;

/// <summary>What one pod asks of accelerators.</summary>
/// <param name="Containers">All containers, init containers first; those that ask nothing have <c>Count</c> 0.</param>
public sealed record PodAsk(
    string Uid, string Namespace, string Name, IReadOnlyList<ContainerAsk> Containers, CardWish Wish, Packing Nodes, Packing Cards)
{
    /// <summary>True when some container asks for a card.</summary>
    public bool AsksCards => Containers.Any(c => c.Count > 0);
}

/// <summary>What one container asks of each of its cards.</summary>
/// <param name="EndsBeforeApps">True for an init container that has ended when the app containers start.</param>
/// <param name="Count">Number of distinct cards.</param>
/// <param name="MemoryMiB">Device memory in MiB; 0 when asked by percent.</param>
/// <param name="MemoryPercent">Percent of the card's registered memory; used when <paramref name="MemoryMiB"/> is 0.</param>
/// <param name="Cores">Percent of one card; 0 reserves none.</param>
public sealed record ContainerAsk(string Name, bool EndsBeforeApps, int Count, long MemoryMiB, int MemoryPercent, int Cores)
{
    /// <summary>Device memory in MiB this container needs of a card with that much memory.</summary>
    public long NeedMiB(long cardMemoryMiB) => MemoryMiB > 0 ? MemoryMiB : cardMemoryMiB * MemoryPercent / 100;
}

/// <summary>Which cards the user wants or wants to avoid; an empty list is no constraint.</summary>
public sealed record CardWish(
    IReadOnlyList<string> UseTypes, IReadOnlyList<string> AvoidTypes, IReadOnlyList<string> UseUuids, IReadOnlyList<string> AvoidUuids)
{
    public static readonly CardWish Any = new([], [], [], []);

    /// <summary>True when the model passes both lists; a word matches as a case-insensitive part of the model.</summary>
    public bool AllowsType(string model) =>
        (UseTypes.Count == 0 || Matches(UseTypes, model)) && !(AvoidTypes.Count > 0 && Matches(AvoidTypes, model));

    /// <summary>True when the UUID passes both lists, compared exactly.</summary>
    public bool AllowsUuid(string uuid) =>
        (UseUuids.Count == 0 || UseUuids.Contains(uuid)) && !AvoidUuids.Contains(uuid);

    private static bool Matches(IReadOnlyList<string> words, string model)
    {
        for (var i = 0; i < words.Count; i++)
        {
            if (model.Contains(words[i], StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }
}

/// <summary>Fill what is in use first, or keep loads apart.</summary>
public enum Packing
{
    Binpack,
    Spread,
}

public static class PackingWords
{
    public static string Word(this Packing packing) => packing is Packing.Binpack ? "binpack" : "spread";

    /// <summary>HAMi's rule: a text it does not know counts as the default.</summary>
    public static Packing Parse(string? text, Packing otherwise) => text?.Trim() switch
    {
        "binpack" => Packing.Binpack,
        "spread" => Packing.Spread,
        _ => otherwise,
    };
}
