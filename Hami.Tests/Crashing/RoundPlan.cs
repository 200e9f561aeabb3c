namespace Hami.Tests.Crashing;

/// <summary>What becomes of one pod once it was bound, or has tried often enough.</summary>
internal enum PodEnd
{
    Stays,
    Deleted,

    /// <summary>While it is being bound.</summary>
    DeletedEarly,
    Succeeded,
    Failed,
}

/// <summary>One pod of a round.</summary>
/// <param name="ComesAfter">Since the round began.</param>
/// <param name="Filtering">Which process is asked for its node: the number turns over.</param>
/// <param name="Binding">Which one binds it.</param>
/// <param name="Twice">Asked for twice at once, as by one who does not hear the first answer and asks the next process.</param>
internal sealed record PodPlan(string Name, int Cards, long MemoryMiB, TimeSpan ComesAfter, int Filtering, int Binding, bool Twice, PodEnd End, TimeSpan EndsAfter);

/// <summary>All that a round does, and all that goes wrong in it, made of a seed.</summary>
/// <param name="Crashes">Whether the first process ends in its midst.</param>
/// <param name="RestartsAfter">Since it ended.</param>
internal sealed record RoundPlan(int Seed, IReadOnlyList<PodPlan> Pods, int PerThousand, bool Crashes, TimeSpan RestartsAfter)
{
    private static readonly int[] Rates = [15, 40, 100];

    /// <param name="mayCrash">Whether this round is one of those with a crash.</param>
    public static RoundPlan Of(int seed, bool mayCrash)
    {
        var chance = new Random(seed);
        var pods = Enumerable.Range(0, chance.Next(4, 9)).Select(i => new PodPlan(
            $"s{seed}-p{i}", chance.Next(1, 3), chance.Next(1, 5) * 1000, Milliseconds(30), chance.Next(100), chance.Next(100), chance.Next(5) == 0,
            (PodEnd)chance.Next(5), Milliseconds(30))).ToList();
        return new(seed, pods, Rates[chance.Next(Rates.Length)], mayCrash, Milliseconds(60));

        TimeSpan Milliseconds(int most) => TimeSpan.FromMilliseconds(chance.Next(most));
    }

    /// <summary>What happens to a process's messages to PostgreSQL.</summary>
    /// <param name="process">Its number; one that was started anew has another.</param>
    public FaultPlan ToPostgres(int process) => new(HashOf(process, 1), PerThousand, EndsIn(1, process));

    public FaultPlan ToKubernetes(int process) => new(HashOf(process, 2), PerThousand, EndsIn(2, process));

    // Half of the crashes at a message to PostgreSQL, half at one to the API server; within the first that a round surely has.
    private long EndsIn(int wire, int process)
    {
        if (!Crashes || process != 0)
            return 0;
        var chance = new Random(HashOf(process, 3));
        return chance.Next(1, 3) == wire ? chance.Next(1, wire == 1 ? 40 : 12) : 0;
    }

    private int HashOf(int process, int what) => unchecked((Seed * 31 + process) * 31 + what);
}
