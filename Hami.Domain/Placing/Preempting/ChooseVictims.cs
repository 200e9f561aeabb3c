using Hami.Domain.Ledger;

namespace Hami.Domain.Placing.Preempting;

/// <summary>Which pods must leave a node so that its cards serve a more important pod?</summary>
public static class ChooseVictims
{
    /// <summary>
    /// The pods to evict beside those that go anyway: only less important ones, the least important first, and none that could stay.
    /// </summary>
    /// <param name="priority">Of the pod that asks.</param>
    /// <param name="node">With all that <paramref name="holders"/> hold.</param>
    /// <param name="terms">With the quota as it is while all of them hold it.</param>
    /// <returns>Empty when those that go anyway suffice; null when no eviction helps.</returns>
    public static IReadOnlyList<Holder>? On(PodAsk ask, int priority, NodeUse node, IReadOnlyList<Holder> holders, Terms terms)
    {
        var room = holders.Where(h => h.Fate is HolderFate.Goes).Aggregate(new Room(ask, node, terms), (r, h) => r.Without(h));
        if (room.Fits())
            return [];
        var victims = Enough(room, Lesser(holders, priority));
        if (victims.Count == 0)
            return null;
        room = victims.Aggregate(room, (r, h) => r.Without(h));
        Spare(ref room, victims);
        return [.. victims.AsEnumerable().Reverse()];
    }

    /// <summary>Those that may be evicted, in the order they go.</summary>
    private static List<Holder> Lesser(IReadOnlyList<Holder> holders, int priority) =>
    [
        .. holders.Where(h => h.Fate is HolderFate.MayGo && h.Priority < priority)
            .OrderBy(h => h.Priority)
            .ThenByDescending(h => h.Allocation.ToString(), StringComparer.Ordinal)
            .ThenBy(h => h.PodUid, StringComparer.Ordinal),
    ];

    /// <summary>The first so many that make the pod fit; none when all together do not.</summary>
    private static List<Holder> Enough(Room room, List<Holder> lesser)
    {
        for (var i = 0; i < lesser.Count; i++)
        {
            room = room.Without(lesser[i]);
            if (room.Fits())
                return lesser.GetRange(0, i + 1);
        }
        return [];
    }

    /// <summary>Takes back whoever could stay, the most important first, until nobody could.</summary>
    private static void Spare(ref Room room, List<Holder> victims)
    {
        // Once more after a success: with several containers less room may, rarely, be used better.
        for (var spared = true; spared;)
        {
            spared = false;
            for (var i = victims.Count - 1; i >= 0; i--)
            {
                var with = room.With(victims[i]);
                if (!with.Fits())
                    continue;
                room = with;
                victims.RemoveAt(i);
                spared = true;
            }
        }
    }

    /// <summary>The node and the quota while some of the pods are thought away.</summary>
    private sealed record Room(PodAsk Ask, NodeUse Node, Terms Terms)
    {
        public bool Fits() => NodeFit.FitsAny(Ask, [Node], Terms);

        public Room Without(Holder holder) => new(Ask, Node.Without(holder.Shares), Giving(holder, QuotaUse.None - CardUse.Sum(holder.Shares)));

        public Room With(Holder holder) => new(Ask, Node.With(holder.Shares), Giving(holder, CardUse.Sum(holder.Shares)));

        // Another namespace's pods hold nothing of this quota.
        private Terms Giving(Holder holder, QuotaUse taken) =>
            holder.Namespace == Ask.Namespace && !Terms.Quota.IsUnlimited ? Terms with { Quota = Terms.Quota - taken } : Terms;
    }
}
