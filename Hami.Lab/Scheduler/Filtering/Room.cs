namespace Hami.Lab.Scheduler;

/// <summary>Whether a node has what a pod asks: ports, pod slots, CPU, memory, disk and extended resources.</summary>
internal static class Room
{
    private const Happenings MakesRoom = Happenings.NodeAdded | Happenings.NodeAllocatable | Happenings.PodGone | Happenings.PodAsksLess;

    private static readonly Refusal PortsTaken =
        Refusal.ForNow("node(s) didn't have free ports for the requested pod ports", Happenings.NodeAdded | Happenings.PodGone);

    public static Refusal? RefusesPorts(PodRecord pod, NodeState node)
    {
        if (pod.HostPorts.Count == 0 || node.PodsWithPorts == 0)
            return null;
        return node.Pods.Any(other => other.HostPorts.Any(taken => pod.HostPorts.Any(taken.Collides))) ? PortsTaken : null;
    }

    /// <summary>What the node lacks; resources that an extender answers for are ignored.</summary>
    public static Refusal? Refuses(PodRecord pod, NodeState node, IReadOnlySet<string> ignored)
    {
        List<string>? lacks = null;
        var never = false;
        if (node.Pods.Count + 1 > node.HasPods)
            (lacks ??= []).Add("Too many pods");

        var asks = pod.Asks;
        if (!asks.IsNothing)
        {
            Check("cpu", asks.MilliCpu, node.Taken.MilliCpu, node.Has.MilliCpu);
            Check("memory", asks.MemoryBytes, node.Taken.MemoryBytes, node.Has.MemoryBytes);
            Check("ephemeral-storage", asks.DiskBytes, node.Taken.DiskBytes, node.Has.DiskBytes);
            foreach (var (name, amount) in asks.Others)
            {
                if (!ignored.Contains(name))
                    Check(name, amount, node.Taken.Other(name), node.Has.Other(name));
            }
        }
        return lacks is null ? null : new(lacks, never, MakesRoom);

        void Check(string name, long asked, long taken, long has)
        {
            if (asked <= 0 || asked <= has - taken)
                return;
            (lacks ??= []).Add($"Insufficient {name}");
            // Even empty the node would be too small.
            never |= asked > has;
        }
    }
}
