namespace Hami.Domain.Placing;

/// <summary>Which of the cards that serve are connected best? For one card: which one leaves the best connected to others.</summary>
internal static class BestConnected
{
    // Beyond this many combinations cards are added one by one instead: 64 cards have more fours than a decision has time for.
    private const int MostCombinations = 20_000;

    /// <summary>Chooses <paramref name="count"/> of the cards that passed, which stand in the order they were tried.</summary>
    /// <returns>Positions in <paramref name="passed"/>, ascending.</returns>
    public static int[] Choose(NodeUse node, IReadOnlyList<int> passed, int count)
    {
        if (passed.Count == count)
            return [.. Enumerable.Range(0, count)];
        if (count == 1)
            return [LeastConnected(node, passed)];
        return Combinations(passed.Count, count) <= MostCombinations ? BestOfAll(node, passed, count) : Grown(node, passed, count);
    }

    /// <summary>Sum of the pair scores of the chosen cards.</summary>
    public static long Total(NodeUse node, IReadOnlyList<int> passed, IReadOnlyList<int> chosen)
    {
        long total = 0;
        for (var i = 0; i < chosen.Count; i++)
        {
            for (var j = i + 1; j < chosen.Count; j++)
                total += node.Link(passed[chosen[i]], passed[chosen[j]]);
        }
        return total;
    }

    private static int LeastConnected(NodeUse node, IReadOnlyList<int> passed)
    {
        var (least, at) = (long.MaxValue, 0);
        for (var i = 0; i < passed.Count; i++)
        {
            long total = 0;
            for (var j = 0; j < passed.Count; j++)
            {
                if (i != j)
                    total += node.Link(passed[i], passed[j]);
            }
            if (total < least)
                (least, at) = (total, i);
        }
        return at;
    }

    private static int[] BestOfAll(NodeUse node, IReadOnlyList<int> passed, int count)
    {
        var current = Enumerable.Range(0, count).ToArray();
        var (best, chosen) = (long.MinValue, Array.Empty<int>());
        do
        {
            var total = Total(node, passed, current);
            if (total > best)
                (best, chosen) = (total, [.. current]);
        }
        while (Next(current, passed.Count));
        return chosen;
    }

    /// <summary>Starts with every card in turn and always adds the one that is connected best to those taken.</summary>
    private static int[] Grown(NodeUse node, IReadOnlyList<int> passed, int count)
    {
        var (best, chosen) = (long.MinValue, Array.Empty<int>());
        for (var first = 0; first < passed.Count; first++)
        {
            var taken = new List<int> { first };
            while (taken.Count < count)
            {
                taken.Add(Enumerable.Range(0, passed.Count).Where(i => !taken.Contains(i))
                    .MaxBy(i => taken.Sum(t => (long)node.Link(passed[Math.Min(t, i)], passed[Math.Max(t, i)]))));
            }
            taken.Sort();
            var total = Total(node, passed, taken);
            if (total > best)
                (best, chosen) = (total, [.. taken]);
        }
        return chosen;
    }

    /// <summary>The next combination in lexicographic order; false after the last.</summary>
    private static bool Next(int[] combination, int of)
    {
        for (var i = combination.Length - 1; i >= 0; i--)
        {
            if (combination[i] == of - combination.Length + i)
                continue;
            combination[i]++;
            for (var j = i + 1; j < combination.Length; j++)
                combination[j] = combination[j - 1] + 1;
            return true;
        }
        return false;
    }

    private static double Combinations(int of, int count)
    {
        var combinations = 1.0;
        for (var i = 0; i < count; i++)
            combinations *= (double)(of - i) / (i + 1);
        return combinations;
    }
}
