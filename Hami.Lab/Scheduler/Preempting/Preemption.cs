using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>A node on which the pod would fit if these pods went, the most important first.</summary>
internal sealed record Candidate(string Node, IReadOnlyList<PodRecord> Victims);

/// <summary>What looking for victims came to.</summary>
/// <param name="Afterwards">What the sentence about the pod ends with.</param>
/// <param name="Chosen">Where room is to be made; null when nowhere.</param>
/// <param name="KeepsNomination">Whether the pod goes on waiting for the node it was promised.</param>
internal sealed record PreemptionOutcome(string Afterwards, Candidate? Chosen = null, bool KeepsNomination = false);

/// <summary>kube-scheduler's DefaultPreemption, without disruption budgets: whom to remove so that a more important pod fits.</summary>
internal sealed class Preemption(ClusterState cluster, IReadOnlyList<ExtenderClient> extenders, Func<PodRecord, CancellationToken, Task<V1Pod?>> whole, Random dice)
{
    private const string NoVictims = "No preemption victims found for incoming pod";
    private const string NotHelpful = "Preemption is not helpful for scheduling";

    // kube-scheduler: minCandidateNodesPercentage and minCandidateNodesAbsolute.
    private const int EnoughPercentage = 10;
    private const int EnoughAtLeast = 100;

    /// <summary>Looks for the cheapest node; the refusals are those of the try that just failed.</summary>
    public async Task<PreemptionOutcome> Find(
        V1Pod pod, PodRecord record, Func<Fitting> fitting, IReadOnlyDictionary<string, Refusal> refusals, string? nominated, CancellationToken cancellationToken)
    {
        if (pod.Spec.PreemptionPolicy == "Never")
            return new(Unschedulable.NoRoomMade("not eligible due to preemptionPolicy=Never."), KeepsNomination: true);

        List<Candidate> candidates;
        lock (cluster.Gate)
        {
            if (WaitsForVictims(record, refusals, nominated))
                return new(Unschedulable.NoRoomMade("not eligible due to a terminating pod on the nominated node."), KeepsNomination: true);

            candidates = DryRun(record, fitting(), refusals, out var reasons, out var errors);
            if (candidates.Count == 0 && errors.Count > 0)
                return new(Unschedulable.RoomFailed(errors.Count == 1 ? errors[0] : $"[{string.Join(", ", errors)}]"), KeepsNomination: true);
            if (candidates.Count == 0)
                return new(Unschedulable.NoRoomMade(Unschedulable.Counted(cluster.Nodes.Count, reasons)));
        }

        try
        {
            candidates = await AskExtenders(pod, candidates, cancellationToken);
        }
        catch (ExtenderException e)
        {
            return new(Unschedulable.RoomFailed(e.Message), KeepsNomination: true);
        }
        return Cheapest(candidates) is { } chosen
            ? new("", chosen)
            : new(Unschedulable.NoRoomMade("no candidate node for preemption"), KeepsNomination: true);
    }

    private bool WaitsForVictims(PodRecord record, IReadOnlyDictionary<string, Refusal> refusals, string? nominated) =>
        !string.IsNullOrEmpty(nominated)
        && refusals.TryGetValue(nominated, out var refusal) && !refusal.IsFinal
        && cluster.Node(nominated)?.Pods.Any(p => p.Priority < record.Priority && p is { IsEnding: true, IsPreempted: true }) == true;

    private List<Candidate> DryRun(
        PodRecord record, Fitting fitting, IReadOnlyDictionary<string, Refusal> refusals, out List<string> reasons, out List<string> errors)
    {
        var potential = cluster.Nodes.Where(n => refusals.TryGetValue(n.Name, out var refusal) && !refusal.IsFinal).ToList();
        var candidates = new List<Candidate>();
        (reasons, errors) = ([], []);
        reasons.AddRange(Enumerable.Repeat(NotHelpful, cluster.Nodes.Count - potential.Count));
        var enough = Math.Min(potential.Count, Math.Max(EnoughAtLeast, potential.Count * EnoughPercentage / 100));
        var offset = potential.Count == 0 ? 0 : dice.Next(potential.Count);
        for (var i = 0; i < potential.Count && candidates.Count < enough; i++)
        {
            var node = potential[(offset + i) % potential.Count];
            var (victims, refusal) = Victims(record, fitting, node);
            if (refusal is not null)
                reasons.AddRange(refusal);
            else if (victims.Count > 0)
                candidates.Add(new(node.Name, victims));
            else
                errors.Add($"expected at least one victim pod on node \"{node.Name}\"");
        }
        return candidates;
    }

    // All lesser pods go; then they are taken back one by one, the important first, as long as the pod still fits.
    private static (IReadOnlyList<PodRecord> Victims, IReadOnlyList<string>? Refusal) Victims(PodRecord record, Fitting fitting, NodeState node)
    {
        var lesser = node.Pods.Where(p => p.Priority < record.Priority)
            .OrderByDescending(p => p.Priority).ThenBy(p => p.StartedAt ?? DateTime.MaxValue).ThenBy(p => p.Name, StringComparer.Ordinal).ToList();
        if (lesser.Count == 0)
            return ([], [NoVictims]);
        foreach (var pod in lesser)
            fitting.Take(pod, node);
        if (fitting.Refuses(node) is { } refusal)
        {
            foreach (var pod in lesser)
                fitting.Put(pod, node);
            return ([], refusal.Texts);
        }
        var victims = new List<PodRecord>();
        foreach (var pod in lesser)
        {
            fitting.Put(pod, node);
            if (fitting.Refuses(node) is null)
                continue;
            fitting.Take(pod, node);
            victims.Add(pod);
        }
        foreach (var victim in victims)
            fitting.Put(victim, node);
        return (victims, null);
    }

    private async Task<List<Candidate>> AskExtenders(V1Pod pod, List<Candidate> candidates, CancellationToken cancellationToken)
    {
        foreach (var extender in extenders.Where(e => e.Options.PreemptVerb is not null && e.IsInterested(pod)))
        {
            if (candidates.Count == 0)
                break;
            try
            {
                var answer = await extender.Preempt(
                    pod,
                    candidates.ToDictionary(c => c.Node, c => c.Victims, StringComparer.Ordinal),
                    extender.Options.NodeCacheCapable ? null : await Whole(candidates, cancellationToken),
                    cancellationToken);
                candidates = Understood(answer, extender.Options);
            }
            catch (ExtenderException) when (extender.Options.Ignorable)
            {
                // The next one decides.
            }
        }
        return candidates;
    }

    private List<Candidate> Understood(IReadOnlyDictionary<string, MetaVictims> answer, ExtenderOptions extender)
    {
        var candidates = new List<Candidate>();
        lock (cluster.Gate)
        {
            foreach (var (name, victims) in answer)
            {
                var node = cluster.Node(name) ?? throw new ExtenderException($"nodeinfo not found for node name \"{name}\"");
                var pods = (victims.Pods ?? []).Select(v => node.Pods.FirstOrDefault(p => p.Uid == v.UID)
                    ?? throw new ExtenderException(
                        $"extender: {extender.Url.ToString().TrimEnd('/')} claims to preempt pod (UID: &MetaPod{{UID:{v.UID},}}) on node: {name}, but the pod is not found on that node")).ToList();
                if (pods.Count > 0)
                    candidates.Add(new(name, pods));
                else if (!extender.Ignorable)
                    throw new ExtenderException($"expected at least one victim pod on node \"{name}\"");
            }
        }
        return candidates;
    }

    private async Task<Dictionary<string, V1Pod>> Whole(IEnumerable<Candidate> candidates, CancellationToken cancellationToken)
    {
        var pods = new Dictionary<string, V1Pod>(StringComparer.Ordinal);
        foreach (var victim in candidates.SelectMany(c => c.Victims))
            pods[victim.Uid] = await whole(victim, cancellationToken) ?? throw new ExtenderException($"pods \"{victim.Name}\" not found");
        return pods;
    }

    private static Candidate? Cheapest(IReadOnlyList<Candidate> candidates) => candidates
        .OrderBy(c => c.Victims.Max(v => v.Priority))
        .ThenBy(c => c.Victims.Sum(v => v.Priority + (long)int.MaxValue + 1))
        .ThenBy(c => c.Victims.Count)
        .ThenByDescending(EarliestStart)
        .ThenBy(c => c.Node, StringComparer.Ordinal)
        .FirstOrDefault();

    private static DateTime EarliestStart(Candidate candidate)
    {
        var highest = candidate.Victims.Max(v => v.Priority);
        return candidate.Victims.Where(v => v.Priority == highest).Min(v => v.StartedAt ?? DateTime.MaxValue);
    }
}
