namespace Hami.NodeAgent.Allocating;

/// <summary>May the container start? Decided from what the kubelet and we know about who holds its device ids.</summary>
/// <param name="Refusal">Why not, as a sentence; null when it may.</param>
/// <param name="Containers">The containers (pod UID, name) it can be; their directories must exist.</param>
/// <param name="Warning">What could not be checked.</param>
internal sealed record StartVerdict(string? Refusal, IReadOnlyList<(string PodUid, string Container)> Containers, string? Warning = null)
{
    /// <param name="ids">The ids of the container that is about to start.</param>
    /// <param name="checkpoint">Null when it cannot be read.</param>
    /// <param name="listing">Pod-resources; asked only when there is no checkpoint, null when silent.</param>
    /// <param name="ours">Our answers of this run that gave out exactly these ids.</param>
    /// <param name="pods">The node's pods.</param>
    /// <param name="podsKnown">False while the API server has not told this run the pods of the node.</param>
    /// <param name="directoryOf">Where a container's directory is.</param>
    public static StartVerdict Decide(
        IReadOnlySet<string> ids, IReadOnlyList<CheckpointEntry>? checkpoint, IReadOnlyList<ListedPod>? listing, IReadOnlyList<HandOut> ours,
        IReadOnlyList<PodOnNode> pods, bool podsKnown, Func<string, string, string> directoryOf)
    {
        ours = [.. ours.Where(h => !podsKnown || pods.Any(p => p.Uid == h.PodUid && !p.Over))];
        if (checkpoint is null)
            return Decide(ids, listing, ours, pods);

        // Old entries stay in the checkpoint; only living pods count, once we know which those are.
        var owners = checkpoint.Where(e => e.DeviceIds.SetEquals(ids))
            .Where(e => !podsKnown || pods.Any(p => p.Uid == e.PodUid && !p.Over)).ToList();
        if (owners.Count == 0)
            return No($"The kubelet's checkpoint names no living pod that holds {Join(ids)}; the kubelet will try again.");
        // An app container may hold its init container's ids: which of the two starts is not said, so both must be right.
        return owners.Select(o => Fault(o, ours, pods, podsKnown, directoryOf)).FirstOrDefault(fault => fault is not null) is { } fault
            ? No(fault)
            : new(null, [.. owners.Select(o => (o.PodUid, o.Container))]);
    }

    private static string? Fault(
        CheckpointEntry owner, IReadOnlyList<HandOut> ours, IReadOnlyList<PodOnNode> pods, bool podsKnown, Func<string, string, string> directoryOf)
    {
        // Strongest first: the kubelet's copy of our answer says for whom it was made.
        if (owner.PreparedFor is not null)
            return owner.PreparedFor == directoryOf(owner.PodUid, owner.Container) ? null
                : $"The devices of container {owner.Container} of pod {Named(owner.PodUid, pods)} were prepared for another container "
                    + $"({Path.GetFileName(owner.PreparedFor)}); delete the pod, it will be placed anew.";
        if (ours.Count > 0)
            return ours.Any(h => h.PodUid == owner.PodUid && h.Container == owner.Container) ? null
                : $"The kubelet gave {Join(owner.DeviceIds)} to container {owner.Container} of pod {Named(owner.PodUid, pods)}, but they were "
                    + $"prepared for container {ours[0].Container} of pod {Named(ours[0].PodUid, pods)}; delete the pod, it will be placed anew.";
        if (!podsKnown)
            return $"Whether pod {owner.PodUid} may use {Join(owner.DeviceIds)} is not known before the API server answers; the kubelet will try again.";
        var pod = pods.First(p => p.Uid == owner.PodUid);
        return pod.Fault
            ?? (pod.Shares.Any(c => c.Name == owner.Container && c.Devices.Count == owner.DeviceIds.Count) ? null
                : $"Container {owner.Container} of pod {pod.FullName} holds {owner.DeviceIds.Count} devices in the kubelet's record, "
                    + "which the scheduler did not give it; delete the pod, it will be placed anew.");
    }

    private static StartVerdict Decide(
        IReadOnlySet<string> ids, IReadOnlyList<ListedPod>? listing, IReadOnlyList<HandOut> ours, IReadOnlyList<PodOnNode> pods)
    {
        var listed =
            (from l in listing ?? []
             from c in l.Containers
             where c.Value.SetEquals(ids)
             from p in pods
             where p.Namespace == l.Namespace && p.Name == l.Name && !p.Over
             select (p.Uid, Container: c.Key)).ToList();
        // A plain init container is not listed, so an empty answer refutes nothing.
        if (listed.Count > 0)
        {
            if (ours.Count == 0)
                return new(null, listed);
            var both = listed.Where(l => ours.Any(h => h.PodUid == l.Uid && h.Container == l.Container)).ToList();
            if (both.Count > 0)
                return new(null, both);
            if (!ours.Any(h => listed.Any(l => l.Uid == h.PodUid)))
                return No($"The kubelet gave {Join(ids)} to container {listed[0].Container} of pod {Named(listed[0].Uid, pods)}, but they were "
                    + $"prepared for pod {Named(ours[0].PodUid, pods)}; delete the pod, it will be placed anew.");
        }
        // An init container's ids come again for an app container of the same pod; that is still one candidate.
        if (ours.Select(h => h.PodUid).Distinct(StringComparer.Ordinal).Count() == 1)
            return new(null, [.. ours.Select(h => (h.PodUid, h.Container))],
                $"The kubelet's record of {Join(ids)} could not be read; container {ours[0].Container} of pod {Named(ours[0].PodUid, pods)} starts on our record alone.");
        return No($"Neither the kubelet's checkpoint nor its pod-resources tell who holds {Join(ids)}; the kubelet will try again.");
    }

    private static StartVerdict No(string sentence) => new(sentence, []);

    private static string Named(string uid, IReadOnlyList<PodOnNode> pods) => pods.FirstOrDefault(p => p.Uid == uid)?.FullName ?? uid;

    private static string Join(IEnumerable<string> ids) => string.Join(", ", ids.Order(StringComparer.Ordinal));
}
