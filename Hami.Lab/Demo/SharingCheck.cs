using Hami.Lab.Cluster;

namespace Hami.Lab.Demo;

/// <summary>Whether all workloads together stay within the cards.</summary>
internal static class SharingCheck
{
    public static IEnumerable<string> Complaints(IEnumerable<ObservedShare> all, IReadOnlyList<LabNode> nodes)
    {
        var cards = nodes.SelectMany(node => node.Cards).ToDictionary(card => card.Uuid, StringComparer.Ordinal);
        foreach (var card in all.GroupBy(share => share.DeviceUuid, StringComparer.Ordinal))
        {
            var shares = card.ToList();
            if (!cards.TryGetValue(card.Key, out var known))
                yield return $"{card.Key} is given away but no node has it.";
            else if (shares.Sum(share => share.MemoryMiB) is var memory && memory > known.MemoryMiB)
                yield return $"{card.Key} has {known.MemoryMiB} MiB, of which {memory} are given away.";
            if (shares.Sum(share => share.Cores) is var cores && cores > 100)
                yield return $"{cores} % of the cores of {card.Key} are given away.";
            if (shares.Count > 1 && shares.Exists(share => share.Cores == 100))
                yield return $"{card.Key} is given away whole, and again.";
        }
    }
}
