using System.Collections.Immutable;
using System.Text;
using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Cluster;

namespace Hami.NodeAgent.Observing;

/// <summary>A card as a container was given it.</summary>
/// <param name="Name">The UUID as it stands in a region.</param>
/// <param name="MemoryBytes">0 for no limit.</param>
internal sealed record GrantedCard(string Uuid, ImmutableArray<byte> Name, long MemoryBytes);

/// <summary>A container that was given cards, as the scheduler and the kubelet tell of it, so nothing that it could have written itself.</summary>
/// <param name="Index">Position among the pod's containers, init containers first.</param>
/// <param name="Priority">0 is high, 1 low.</param>
/// <param name="RuntimeId">The runtime's id of it; null until the kubelet told.</param>
/// <param name="Over">It has ended, and will not begin anew but by the kubelet's hand.</param>
internal sealed record WatchedContainer(
    string PodUid, string Namespace, string Pod, string Name, int Index, ImmutableArray<GrantedCard> Cards, int Priority, string? RuntimeId, bool Over)
{
    /// <summary>The containers of a pod that were given cards.</summary>
    public static ImmutableArray<WatchedContainer> Of(PodOnNode pod, Pod told)
    {
        var statuses = (told.Status?.InitContainerStatuses ?? []).Concat(told.Status?.ContainerStatuses ?? []).ToLookup(s => s.Name, StringComparer.Ordinal);
        return [.. pod.Containers.Index().Where(c => c.Item.Devices.Count > 0).Select(c => From(pod, c.Item, c.Index, statuses[c.Item.Name].FirstOrDefault()))];
    }

    private static WatchedContainer From(PodOnNode pod, ContainerShare share, int index, ContainerStatus? status)
    {
        var id = status?.ContainerID is { Length: > 0 } text ? text[(text.LastIndexOf('/') + 1)..] : null; // containerd://…
        var over = pod.Over || status?.State?.Terminated is not null || status is { State.Waiting: not null, RestartCount: > 0 };
        return new(
            pod.Uid, pod.Namespace, pod.Name, share.Name, index,
            [.. share.Devices.GroupBy(d => d.Uuid, StringComparer.Ordinal).Select(g => new GrantedCard(g.Key, [.. Encoding.UTF8.GetBytes(g.Key)], g.Sum(d => d.MemoryMiB) << 20))],
            share.Priority, id, over);
    }
}

/// <summary>The node's containers that were given cards.</summary>
internal sealed class WatchedContainers(PodsOnNode pods, PodsWithShares shares)
{
    private Dictionary<SeenPod, (PodOnNode Pod, ImmutableArray<WatchedContainer> Containers)> read = [];
    private readonly Lock gate = new();

    public IReadOnlyList<WatchedContainer> Now()
    {
        lock (gate)
        {
            var fresh = new Dictionary<SeenPod, (PodOnNode, ImmutableArray<WatchedContainer>)>(read.Count, ReferenceEqualityComparer.Instance);
            var all = new List<WatchedContainer>();
            foreach (var seen in pods.Now.OrderBy(p => p.Order))
            {
                if (shares.Find(seen.Pod.Uid) is not { } pod)
                    continue;
                var entry = read.TryGetValue(seen, out var before) && before.Pod == pod ? before : (Pod: pod, Containers: WatchedContainer.Of(pod, seen.Pod));
                fresh[seen] = entry;
                all.AddRange(entry.Containers);
            }
            read = fresh;
            return all;
        }
    }
}
