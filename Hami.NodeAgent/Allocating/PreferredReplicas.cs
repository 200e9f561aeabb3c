namespace Hami.NodeAgent.Allocating;

/// <summary>Picks, of the replicas on offer, those of the cards the scheduler chose.</summary>
internal static class PreferredReplicas
{
    /// <returns>Exactly <paramref name="size"/> ids, or none when they cannot all be of the chosen cards: the kubelet then picks.</returns>
    public static IReadOnlyList<string> Choose(
        IEnumerable<string> available, IReadOnlyList<string> mustInclude, int size, IReadOnlyList<string> cards)
    {
        if (cards.Count < size)
            return [];
        var chosen = mustInclude.ToList();
        var uncounted = mustInclude.ToList();
        var free = available.Except(mustInclude, StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        foreach (var card in cards.Take(size))
        {
            if (uncounted.FindIndex(id => Replicas.CardOf(id) == card) is >= 0 and var counted)
            {
                uncounted.RemoveAt(counted);
                continue;
            }
            if (free.FindIndex(id => Replicas.CardOf(id) == card) is not (>= 0 and var at))
                return [];
            chosen.Add(free[at]);
            free.RemoveAt(at);
        }
        return chosen.Count == size ? chosen : [];
    }
}
