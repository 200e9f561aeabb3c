using Hami.Api.Observing;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Placing.Preempting;
using Mediator;

namespace Hami.Api.Placing;

/// <summary>On which of the nodes would evictions help the pod, and whose?</summary>
internal sealed record Preempt(PreemptArguments Arguments) : IQuery<PreemptAnswer>;

/// <summary>What is answered to a <see cref="Preempt"/>.</summary>
/// <param name="Result">Null when the question could not be answered.</param>
/// <param name="Error">Why not, in a sentence.</param>
/// <param name="IsTooEarly">Ask again later.</param>
internal sealed record PreemptAnswer(PreemptResult? Result, string Error = "", bool IsTooEarly = false);

/// <summary>Sees to it that no pod is evicted in vain: a node stays only if its cards serve the pod afterwards.</summary>
internal sealed class PreemptHandler(
    ClusterView view, ILedgerReader log, IReadiness readiness, AskReader asks, SeenPods pods, Nominations nominations, IPreemptionLog plans) : IQueryHandler<Preempt, PreemptAnswer>
{
    // kube-scheduler itself looks no further than 100 candidates or a tenth of the nodes.
    private const int EnoughNodes = 500;

    // About a second's work, should thousands of full nodes be offered.
    private const int MostHolders = 100_000;

    public ValueTask<PreemptAnswer> Handle(Preempt query, CancellationToken cancellationToken) => ValueTask.FromResult(Answer(query.Arguments));

    private PreemptAnswer Answer(PreemptArguments arguments)
    {
        if (arguments.Pod is not { } pod)
            return new(null, "extender args missing pod");
        if (arguments.Proposed is not { } proposed)
            return new(null, "extender args name no victims: NodeNameToMetaVictims and NodeNameToVictims are both missing");
        var (ask, error) = asks.Read(pod);
        if (ask is null)
            return new(null, error!);
        // kube-scheduler does not ask for such a pod; who else asks gets the same answer.
        if (pod.Spec?.PreemptionPolicy == "Never")
            return new(PreemptResult.None);
        if (!ask.AsksCards())
            return new(Result(proposed.Select(node => new PlannedVictims(node.Key, [.. node.Value?.Uids ?? []])), proposed));
        if (readiness.WhyNot is { } whyNot)
            return new(null, whyNot, IsTooEarly: true);
        if (ask.Uid.Length == 0)
            return new(null, "the pod has no metadata.uid, so nothing can be kept for it");

        var ledger = log.Ledger;
        var plan = Plan(ask, pod.Spec?.Priority ?? 0, proposed, ledger);
        nominations.Planned(ask, pod.Reference().ResourceVersion, plan);
        plans.Record(new(ask, plan, proposed.Count, ledger.Position));
        return new(Result(plan, proposed));
    }

    private List<PlannedVictims> Plan(PodAsk ask, int priority, IReadOnlyDictionary<string, ProposedVictims?> proposed, ClusterLedger ledger)
    {
        var terms = view.TermsFor(ledger, ask.Namespace, ask.Uid).For(ask, view.LargestCardMiB);
        var plan = new List<PlannedVictims>();
        var looked = 0;
        foreach (var (name, victims) in proposed.OrderBy(n => n.Key, StringComparer.Ordinal))
        {
            if (plan.Count == EnoughNodes || looked > MostHolders)
                break;
            if (!ledger.Nodes.TryGetValue(name, out var node) || node.Cards.Count == 0)
                continue;
            var uids = (victims?.Uids ?? []).ToList();
            var reserved = view.ReservedByOthers(name, ask.Uid).Where(r => !ledger.LiveByPod.ContainsKey(r.PodUid)).ToList();
            var going = uids.ToHashSet(StringComparer.Ordinal);
            var holders = node.Allocations.Values.Select(a => Look(name, a.PodUid, a.Namespace, a.Id, a.Held, going))
                .Concat(reserved.Select(r => Look(name, r.PodUid, pods.Find(r.PodUid)?.Namespace ?? "", default, r.Shares, going)))
                .ToList();
            looked += holders.Count;
            var use = reserved.Aggregate(NodeUse.Of(name, node), (u, r) => u.With(r.Shares));
            if (ChooseVictims.On(ask, priority, use, holders, terms) is not { } added)
                continue;
            // Empty only if kube-scheduler named nobody; it takes a node without victims for an error.
            if (uids.Count + added.Count > 0)
                plan.Add(new(name, MostImportantFirst(uids, added)));
        }
        return plan;
    }

    private Holder Look(string node, string podUid, string podNamespace, Guid allocation, IReadOnlyList<Share> shares, HashSet<string> going)
    {
        var seen = pods.Find(podUid);
        var fate = going.Contains(podUid) || seen is { IsBeingDeleted: true } or { IsTerminal: true } ? HolderFate.Goes
            // kube-scheduler gives the whole attempt up when it does not find a victim on the node.
            : seen?.Node == node ? HolderFate.MayGo
            : HolderFate.Stays;
        return new(podUid, podNamespace, allocation, shares, seen?.Priority ?? 0, fate);
    }

    /// <summary>kube-scheduler compares nodes by the first victim of each.</summary>
    private List<string> MostImportantFirst(List<string> proposed, IReadOnlyList<Holder> added) =>
        [.. proposed.Concat(added.Select(h => h.PodUid)).OrderByDescending(uid => pods.Find(uid)?.Priority ?? 0)];

    private static PreemptResult Result(IEnumerable<PlannedVictims> plan, IReadOnlyDictionary<string, ProposedVictims?> proposed) => new(plan.ToDictionary(
        n => n.Node,
        n => new MetaVictims([.. n.PodUids.Select(uid => new MetaPod(uid))], proposed[n.Node]?.PdbViolations ?? 0),
        StringComparer.Ordinal));
}
