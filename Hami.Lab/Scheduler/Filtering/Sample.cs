namespace Hami.Lab.Scheduler;

/// <summary>How many nodes that fit are enough, and where to go on looking: large clusters are sampled.</summary>
internal sealed class Sample(int percentage)
{
    private const int Least = 100;
    private const int LeastPercentage = 5;
    private int _start;

    /// <summary>kube-scheduler's <c>numFeasibleNodesToFind</c>; a percentage of 0 goes down from 50 as the cluster grows.</summary>
    public static int Enough(int nodes, int percentage)
    {
        if (nodes < Least)
            return nodes;
        if (percentage == 0)
            percentage = Math.Max(LeastPercentage, 50 - (nodes / 125));
        return Math.Max(Least, (int)((long)nodes * percentage / 100));
    }

    /// <summary>Looks at one node after the other from where the last pod's look ended, until enough fit.</summary>
    public List<NodeState> Find(IReadOnlyList<NodeState> nodes, int allNodes, Func<NodeState, bool> fits)
    {
        var enough = Enough(nodes.Count, percentage);
        var found = new List<NodeState>();
        var seen = 0;
        for (; seen < nodes.Count && found.Count < enough; seen++)
        {
            var node = nodes[(_start + seen) % nodes.Count];
            if (fits(node))
                found.Add(node);
        }
        _start = (_start + seen) % Math.Max(1, allNodes);
        return found;
    }
}
