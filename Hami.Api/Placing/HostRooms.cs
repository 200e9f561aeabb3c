using Hami.Api.Plumbing.Kubernetes;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using k8s.Models;

namespace Hami.Api.Placing;

/// <summary>
/// What the pods of each node leave free of its own CPU and memory, as the watches tell it. Placement hears of it once somebody
/// places by <c>fragmentation</c>; to the others it would only be nodes that keep changing.
/// </summary>
internal sealed class HostRooms(ClusterView view, PolicyInForce policy, NvidiaConfig config)
{
    private const string Fragmentation = "fragmentation";
    private const decimal Most = 1_000_000_000_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Host> _hosts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (string Node, long? Generation, HostRoom Ask)> _pods = new(StringComparer.Ordinal);
    private bool _isWanted;

    /// <summary>A node as it is now; its cards are known already, if it has any.</summary>
    public void See(V1Node node)
    {
        var allocatable = Allocatable(node);
        lock (_lock)
        {
            var host = HostOf(node.Name());
            host.Allocatable = allocatable;
            // Told again although the same: the node may have registered its cards only now.
            host.Told = null;
            Tell(node.Name(), host);
        }
    }

    /// <summary>A node that is gone; its pods are counted as long as they are there.</summary>
    public void Forget(string node)
    {
        lock (_lock)
        {
            if (_hosts.TryGetValue(node, out var host))
                host.Allocatable = null;
        }
    }

    /// <summary>A pod as it is now.</summary>
    public void See(V1Pod pod)
    {
        var name = pod.Status?.Phase is "Succeeded" or "Failed" ? "" : pod.Spec.NodeName ?? "";
        lock (_lock)
        {
            var isKnown = _pods.TryGetValue(pod.Uid(), out var before);
            if (!_isWanted && (WantsFragmentation(pod) || IsFragmentation(policy.Now)))
            {
                _isWanted = true;
                foreach (var (node, host) in _hosts)
                    Tell(node, host);
            }
            if (name == (isKnown ? before.Node : "") && (!isKnown || before.Generation == pod.Metadata.Generation))
                return;
            if (isKnown)
                Leave(pod.Uid());
            if (name.Length == 0)
                return;
            var ask = Ask(pod, config.ResourceNames);
            _pods[pod.Uid()] = (name, pod.Metadata.Generation, ask);
            Change(name, ask.CpuMilli, ask.MemoryMiB);
        }
    }

    /// <summary>A pod that is gone.</summary>
    public void ForgetPod(string uid)
    {
        lock (_lock)
            Leave(uid);
    }

    /// <summary>Takes over a complete list of pods.</summary>
    public void Replace(IEnumerable<V1Pod> pods)
    {
        var listed = pods.ToDictionary(p => p.Uid(), StringComparer.Ordinal);
        lock (_lock)
        {
            foreach (var uid in _pods.Keys.Where(uid => !listed.ContainsKey(uid)).ToList())
                Leave(uid);
        }
        foreach (var pod in listed.Values)
            See(pod);
    }

    /// <summary>What a pod requests of its node; nothing when it cannot be read.</summary>
    internal static HostRoom Ask(V1Pod pod, ResourceNames names)
    {
        try
        {
            return HostAsk.Of(PodReading.Shape(pod, names));
        }
        catch (FormatException)
        {
            // Only quantities of ours are refused; such a pod has no node, unless somebody else gave it one.
            return new(0, 0);
        }
    }

    /// <summary>Null when the node says nothing of it.</summary>
    private static HostRoom? Allocatable(V1Node node) =>
        node.Status?.Allocatable is { } all
        && all.TryGetValue(HostAsk.Cpu, out var cpu) && Quantity.TryParse(cpu.ToString(), out var cpus) && cpus is >= 0 and < Most
        && all.TryGetValue(HostAsk.Memory, out var memory) && Quantity.TryParse(memory.ToString(), out var bytes) && bytes >= 0
            ? new((long)(cpus * 1000), (long)Math.Min(bytes / (1 << 20), Most))
            : null;

    private static bool IsFragmentation(PlacementPolicy policy) =>
        policy.Nodes is NodePolicy.Fragmentation || policy.Cards.Word.Contains(Fragmentation, StringComparison.Ordinal);

    private static bool WantsFragmentation(V1Pod pod) =>
        pod.GetAnnotation(HamiKeys.NodePolicy)?.Contains(Fragmentation, StringComparison.Ordinal) == true
        || pod.GetAnnotation(HamiKeys.GpuPolicy)?.Contains(Fragmentation, StringComparison.Ordinal) == true;

    private void Leave(string uid)
    {
        if (_pods.Remove(uid, out var before))
            Change(before.Node, -before.Ask.CpuMilli, -before.Ask.MemoryMiB);
    }

    private void Change(string node, long cpuMilli, long memoryMiB)
    {
        var host = HostOf(node);
        host.CpuMilli += cpuMilli;
        host.MemoryMiB += memoryMiB;
        Tell(node, host);
    }

    private Host HostOf(string node)
    {
        if (!_hosts.TryGetValue(node, out var host))
            _hosts[node] = host = new();
        return host;
    }

    private void Tell(string node, Host host)
    {
        if (!_isWanted || host.Room is not { } room || room == host.Told)
            return;
        host.Told = room;
        view.SetHost(node, room);
    }

    private sealed class Host
    {
        /// <summary>Null while the node is not seen, or does not say.</summary>
        public HostRoom? Allocatable { get; set; }

        /// <summary>Requested by the node's pods.</summary>
        public long CpuMilli { get; set; }

        public long MemoryMiB { get; set; }

        public HostRoom? Told { get; set; }

        // Pods whose deletion is not seen yet, or a node that shrank: less than nothing is nothing.
        public HostRoom? Room => Allocatable is { } all ? new(Math.Max(0, all.CpuMilli - CpuMilli), Math.Max(0, all.MemoryMiB - MemoryMiB)) : null;
    }
}
