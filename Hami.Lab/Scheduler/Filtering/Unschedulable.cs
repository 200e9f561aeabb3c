namespace Hami.Lab.Scheduler;

/// <summary>kube-scheduler's sentences about a pod that fits nowhere.</summary>
internal static class Unschedulable
{
    public const string NoNodes = "no nodes available to schedule pods";
    private const string NoClaims = "no new claims to deallocate";

    /// <summary>For example <c>0/3 nodes are available: 1 a, 2 b. no new claims to deallocate, preemption: …</c>.</summary>
    /// <param name="nodes">How many nodes there are.</param>
    /// <param name="reasons">One for each reason of each node; nodes may have none or several.</param>
    /// <param name="afterwards">What the attempt to make room came to; nothing when room is being made.</param>
    public static string Sentence(int nodes, IEnumerable<string> reasons, string afterwards)
    {
        var sentence = Counted(nodes, reasons);
        return afterwards.Length == 0 ? sentence : $"{sentence} {afterwards}";
    }

    /// <summary>The same when the pod contradicts itself, so that no node was looked at.</summary>
    public static string Contradiction(int nodes, string reason, string afterwards) =>
        $"0/{nodes} nodes are available: {reason}. {afterwards}".TrimEnd();

    /// <summary>Making room was considered and came to nothing.</summary>
    public static string NoRoomMade(string why) => $"{NoClaims}, preemption: {why}";

    /// <summary>Making room failed half-way.</summary>
    public static string RoomFailed(string why) => $"preemption: {why}";

    // Go sorts the finished "<count> <text>" strings, so 10 stands before 2.
    public static string Counted(int nodes, IEnumerable<string> reasons)
    {
        var counted = reasons.GroupBy(t => t, StringComparer.Ordinal).Select(g => $"{g.Count()} {g.Key}").Order(StringComparer.Ordinal);
        var listed = string.Join(", ", counted);
        return listed.Length == 0 ? $"0/{nodes} nodes are available:" : $"0/{nodes} nodes are available: {listed}.";
    }
}
