using Hami.Domain.Protocol;

namespace Hami.NodeAgent.Allocating;

/// <summary>The container that an Allocate is for.</summary>
/// <param name="Certain">False when a look at the API server could name a better one: the pod counts as served already.</param>
internal sealed record Owner(PodOnNode Pod, ContainerShare Container, bool Certain);

/// <summary>Finds whose Allocate it is, as the kubelet does not say.</summary>
/// <remarks>
/// The kubelet admits pods strictly one after another, init containers first, then app containers, in the order of the spec, and asks
/// once for each. The pod being admitted is listed in its pod-resources, those queued behind are not.
/// </remarks>
internal static class WhoseAllocate
{
    private static readonly IEnumerable<ListedPod?> Unlisted = [null];

    /// <param name="listing">The kubelet's pod-resources; null when it did not answer, the oldest unserved pod is taken then.</param>
    /// <param name="served">Was this container (pod UID, name) answered already, as far as we and the checkpoint know?</param>
    /// <param name="inThisCall">Containers answered in this very call, which the kubelet cannot have listed yet.</param>
    /// <returns>Null when no pod with an allocation is waiting for devices.</returns>
    public static Owner? Find(
        IReadOnlyCollection<string> ids, IReadOnlyCollection<PodOnNode> pods, IReadOnlyList<ListedPod>? listing,
        Func<string, string, bool> served, IReadOnlySet<(string PodUid, string Container)>? inThisCall = null)
    {
        // A listing has no UIDs: a pod of the same name that is still ending may be listed beside it.
        var listedAs = listing?.ToLookup(l => (l.Namespace, l.Name));
        return Best(BindPhases.Allocating) ?? (listing is null ? null : Best(BindPhases.Success));

        Owner? Best(string phase)
        {
            var waiting =
                from pod in pods
                where pod.Phase == phase && !pod.Over && pod.Fault is null
                from listed in listedAs?[(pod.Namespace, pod.Name)] ?? Unlisted
                let next = pod.Shares.FirstOrDefault(c =>
                    inThisCall?.Contains((pod.Uid, c.Name)) is not true && !IsServed(pod, c, listed, served))
                where next is not null
                select new Owner(pod, next, phase is BindPhases.Allocating);

            // Several only where a pod that was rejected for other reasons lingers in the listing: it is older.
            var inOrder = listing is null ? waiting.OrderBy(o => o.Pod.Order) : waiting.OrderByDescending(o => o.Pod.Order);
            return inOrder
                .OrderByDescending(o => o.Container.Devices.Count == ids.Count)
                .ThenByDescending(o => listing is not null && SameCards(ids, o.Container))
                .FirstOrDefault();
        }
    }

    private static bool IsServed(PodOnNode pod, ContainerShare container, ListedPod? listed, Func<string, string, bool> served)
    {
        if (listed is null)
            return served(pod.Uid, container.Name);
        if (listed.Containers.TryGetValue(container.Name, out var held))
            return held.Count > 0;
        // A plain init container is not listed; once an app container has devices, all of those are through.
        return served(pod.Uid, container.Name)
            || pod.Shares.Any(c => !c.IsInit && listed.Containers.TryGetValue(c.Name, out var ids) && ids.Count > 0);
    }

    /// <summary>Do the ids stand for the cards that the scheduler chose?</summary>
    public static bool SameCards(IReadOnlyCollection<string> ids, ContainerShare container) =>
        ids.Select(Replicas.CardOf).Order(StringComparer.Ordinal)
            .SequenceEqual(container.Devices.Select(d => d.Uuid).Order(StringComparer.Ordinal));
}
