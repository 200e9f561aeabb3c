using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>One try to find a node: own filters on a sample, the extenders, scores, and if nothing fits, whom to remove.</summary>
internal sealed class SchedulingCycle(
    ClusterState cluster,
    Nominations nominations,
    IReadOnlyList<ExtenderClient> extenders,
    Sample sample,
    Preemption preemption,
    Random dice)
{
    // kube-scheduler scores to 100, extenders to 10.
    private const long ExtenderScale = 10;
    private readonly HashSet<string> _ignored = [.. extenders.SelectMany(e => e.Options.ManagedResources)];

    /// <summary>Throws <see cref="ExtenderException"/> when an extender that is not ignorable could not be asked.</summary>
    public async Task<Verdict> Try(V1Pod pod, PodRecord record, CancellationToken cancellationToken)
    {
        var refusals = new Dictionary<string, Refusal>(StringComparer.Ordinal);
        var named = NodeMatch.Named(pod);
        int all;
        List<Offered> own;
        Offered? promised = null;
        string? nominated;
        lock (cluster.Gate)
        {
            all = cluster.Nodes.Count;
            if (all == 0)
                return new Verdict.Waits(Unschedulable.NoNodes, Happenings.None, "");
            nominated = nominations.NodeOf(record.Uid) ?? pod.Status?.NominatedNodeName;
            if (!string.IsNullOrEmpty(nominated) && named?.Count != 0 && cluster.Node(nominated) is { } node && Passes(NewFitting(), node))
                promised = new(node, node.Node!);
        }
        if (promised is not null && await StillWanted(pod, promised, refusals, cancellationToken))
            return new Verdict.Goes(promised.State.Name);

        lock (cluster.Gate)
        {
            all = cluster.Nodes.Count;
            var fitting = NewFitting();
            var nodes = named is null ? cluster.Nodes : [.. cluster.Nodes.Where(n => named.Contains(n.Name))];
            own = [.. sample.Find(nodes, all, n => Passes(fitting, n)).Select(n => new Offered(n, n.Node!))];
        }

        var left = await AskExtenders(pod, own, refusals, cancellationToken);
        if (left.Count == 0)
            return await Unfit(pod, record, refusals, named, all, left.Count != own.Count, nominated, NewFitting, cancellationToken);
        return new Verdict.Goes(left.Count == 1 ? left[0].State.Name : await Best(pod, record, left, cancellationToken));

        Fitting NewFitting() => new(pod, record, cluster, nominations, _ignored);

        bool Passes(Fitting fitting, NodeState node)
        {
            if (fitting.Refuses(node) is not { } refusal)
                return true;
            refusals[node.Name] = refusal;
            return false;
        }
    }

    // The node as it was when it was looked at: it may be gone before the extender has answered.
    private sealed record Offered(NodeState State, V1Node Node);

    private async Task<bool> StillWanted(V1Pod pod, Offered promised, Dictionary<string, Refusal> refusals, CancellationToken cancellationToken)
    {
        try
        {
            return (await AskExtenders(pod, [promised], refusals, cancellationToken)).Count > 0;
        }
        catch (ExtenderException)
        {
            // kube-scheduler only logs it and looks at all nodes, which asks the extender again.
            return false;
        }
    }

    private async Task<List<Offered>> AskExtenders(V1Pod pod, List<Offered> nodes, Dictionary<string, Refusal> refusals, CancellationToken cancellationToken)
    {
        foreach (var extender in extenders.Where(e => e.Options.FilterVerb is not null && e.IsInterested(pod)))
        {
            if (nodes.Count == 0)
                break;
            try
            {
                var (fitting, answer) = await extender.Filter(pod, [.. nodes.Select(n => n.Node)], cancellationToken);
                foreach (var (node, text) in answer.FailedNodes ?? new Dictionary<string, string>(StringComparer.Ordinal))
                    refusals[node] = Refusal.ForNow(text, Happenings.Anything);
                foreach (var (node, text) in answer.FailedAndUnresolvableNodes ?? new Dictionary<string, string>(StringComparer.Ordinal))
                    refusals[node] = Refusal.Final(text, Happenings.Anything);
                var byName = nodes.ToDictionary(n => n.State.Name, StringComparer.Ordinal);
                nodes = [.. fitting.Select(n => byName[n])];
            }
            catch (ExtenderException) when (extender.Options.Ignorable)
            {
                // As if it were not there.
            }
        }
        return nodes;
    }

    private async Task<Verdict> Unfit(
        V1Pod pod, PodRecord record, Dictionary<string, Refusal> refusals, IReadOnlySet<string>? named, int all, bool byExtender,
        string? nominated, Func<Fitting> fitting, CancellationToken cancellationToken)
    {
        var outcome = await preemption.Find(pod, record, fitting, refusals, nominated, cancellationToken);
        var reasons = refusals.Values.SelectMany(r => r.Texts);
        if (named is not null)
            reasons = reasons.Concat(Enumerable.Repeat(NodeMatch.NotNamed.Texts[0], Math.Max(0, all - refusals.Count)));
        var sentence = named?.Count == 0
            ? Unschedulable.Contradiction(all, NodeMatch.Conflict, outcome.Afterwards)
            : Unschedulable.Sentence(all, reasons, outcome.Afterwards);
        var curedBy = refusals.Values.Aggregate(named is null ? Happenings.None : NodeMatch.NotNamed.CuredBy, (cures, r) => cures | r.CuredBy);
        return new Verdict.Waits(
            sentence,
            byExtender ? Happenings.Anything : curedBy,
            outcome.Chosen?.Node ?? (outcome.KeepsNomination ? null : ""),
            outcome.Chosen);
    }

    private async Task<string> Best(V1Pod pod, PodRecord record, List<Offered> nodes, CancellationToken cancellationToken)
    {
        var asked = extenders
            .Where(e => e.Options.PrioritizeVerb is not null && e.IsInterested(pod))
            .Select(e => Asked(e, pod, nodes, cancellationToken))
            .ToList();
        long[] scores;
        lock (cluster.Gate)
            scores = Scores.Of(pod, record, [.. nodes.Select(n => n.State)]);
        foreach (var liked in await Task.WhenAll(asked))
        {
            for (var i = 0; i < nodes.Count; i++)
                scores[i] += liked.GetValueOrDefault(nodes[i].State.Name);
        }
        var most = scores.Max();
        var best = Enumerable.Range(0, nodes.Count).Where(i => scores[i] == most).ToList();
        return nodes[best[dice.Next(best.Count)]].State.Name;
    }

    private static async Task<Dictionary<string, long>> Asked(ExtenderClient extender, V1Pod pod, List<Offered> nodes, CancellationToken cancellationToken)
    {
        var liked = new Dictionary<string, long>(StringComparer.Ordinal);
        try
        {
            foreach (var priority in await extender.Prioritize(pod, [.. nodes.Select(n => n.Node)], cancellationToken))
                liked[priority.Host] = liked.GetValueOrDefault(priority.Host) + (priority.Score * extender.Options.Weight * ExtenderScale);
        }
        catch (ExtenderException)
        {
            // An extender that cannot rank leaves it to the others; kube-scheduler does not even tell.
        }
        return liked;
    }
}
