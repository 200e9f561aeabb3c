namespace Hami.Lab.Scheduler;

/// <summary>Why one node does not take a pod; final when no removal of other pods could help (kube-scheduler: UnschedulableAndUnresolvable).</summary>
internal sealed record Refusal(string Text, bool Final);

/// <summary>kube-scheduler's sentence about a pod that fits nowhere.</summary>
internal static class Unschedulable
{
    public const string NoNodes = "no nodes available to schedule pods";

    /// <summary>For example <c>0/3 nodes are available: 1 a, 2 b. no new claims to deallocate, preemption: …</c>.</summary>
    public static string Sentence(int nodes, IReadOnlyCollection<Refusal> refusals)
    {
        if (nodes == 0)
            return NoNodes;
        var preemption = refusals.Select(r => r.Final
            ? "Preemption is not helpful for scheduling"
            : "No preemption victims found for incoming pod");
        return $"{Counted(nodes, refusals.Select(r => r.Text))} no new claims to deallocate, preemption: {Counted(nodes, preemption)}";
    }

    // Go sorts the finished "<count> <text>" strings, so 10 stands before 2.
    private static string Counted(int nodes, IEnumerable<string> texts)
    {
        var counted = texts.GroupBy(t => t, StringComparer.Ordinal).Select(g => $"{g.Count()} {g.Key}").Order(StringComparer.Ordinal);
        var reasons = string.Join(", ", counted);
        return reasons.Length == 0 ? $"0/{nodes} nodes are available." : $"0/{nodes} nodes are available: {reasons}.";
    }
}
