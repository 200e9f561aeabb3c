using Hami.Api.Observing;
using Hami.Api.Measuring;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Telling;
using Hami.Api.Registering;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Mediator;

namespace Hami.Api.Placing;

/// <summary>Which of the offered nodes takes the pod?</summary>
internal sealed record Filter(ExtenderArguments Arguments) : IQuery<FilterAnswer>;

/// <summary>Answers from memory; sets the chosen shares aside and leaves the refusal, if any, for the log.</summary>
internal sealed class FilterHandler(
    ClusterView view, ILedgerReader log, IReadiness readiness, AskReader asks, IRefusalLog refusals, WaitingPods waiting, IPendingPods pending, SeenNodes nodes,
    PodEvents events, ExtenderSettings settings, TimeProvider time)
    : IQueryHandler<Filter, FilterAnswer>
{
    private const int MostTries = 16;

    public async ValueTask<FilterAnswer> Handle(Filter query, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        var answer = await AnswerAsync(query.Arguments, cancellationToken);
        Meters.Took(Stage.FilterDecide, time.GetElapsedTime(began));
        return answer;
    }

    private async ValueTask<FilterAnswer> AnswerAsync(ExtenderArguments arguments, CancellationToken cancellationToken)
    {
        if (arguments.Pod is null)
            return FilterAnswer.Of("extender args missing pod");
        if (arguments.Offer is not { } offer)
            return FilterAnswer.Of("extender args name no nodes: NodeNames and Nodes are both missing");

        var (ask, error) = asks.Read(arguments.Pod);
        if (ask is null)
        {
            events.Tell(arguments.Pod.Reference(), PodEventWords.FilteringFailed(error!));
            return FilterAnswer.Of(error!);
        }
        if (!ask.AsksCards())
            return Passing(offer, [.. Enumerable.Range(0, offer.Names.Count)]);
        if (readiness.WhyNot is { } whyNot)
            return FilterAnswer.Of(whyNot);
        if (await IsSimulationAsync(ask, offer, cancellationToken))
            return Simulate(ask, offer);
        if (ask.Uid.Length == 0)
            return FilterAnswer.Of("the pod has no metadata.uid, so nothing can be kept for it");

        // Placed before, but the Binding's answer was lost: the same node is the answer while it is on offer.
        if (log.Ledger.LiveByPod.TryGetValue(ask.Uid, out var live) && offer.Names.IndexOf(live.Node) is var at and >= 0)
            return Passing(offer, [at]);
        return Choose(ask, arguments.Pod.Reference(), offer);
    }

    private FilterAnswer Choose(PodAsk ask, PodReference pod, NodeOffer offer)
    {
        // The offer was read while the pod still had its own shares reserved.
        if (view.ReservationOf(ask.Uid) is { } own && view.DropReservation(ask.Uid))
            offer.Renew(own.Node, view);
        var fitting = settings.Mode is ExtenderMode.Score ? new List<NodeUse>() : null;
        for (var tries = 0; tries < MostTries; tries++)
        {
            var ledger = log.Ledger;
            var terms = TermsOf(ask, ledger);
            fitting?.Clear();
            var choice = NodeChoice.Among(ask, offer.Registered, terms, fitting);
            if (choice.Best is not { } best)
                return Refuse(ask, pod, offer, terms, ledger.Position);
            var reservation = new Reservation(
                ask, pod.ResourceVersion, best.Node.Name, best.Shares, offer.Names.Count, choice.RunnersUp, time.GetUtcNow() + settings.ReservationTime);
            if (view.TryReserve(best.Node, reservation))
            {
                waiting.Forget(ask.Uid);
                events.Tell(pod, () => [PodEventWords.FilteringSucceeded(best.Node.Name, offer.Names.Count - choice.Fitting, choice.Fitting, Scores(choice))]);
                return Passing(offer, fitting is null ? [offer.Names.IndexOf(best.Node.Name)] : Positions(offer, fitting));
            }
            offer.Renew(best.Node.Name, view);
        }
        return FilterAnswer.Of("the chosen nodes kept changing under the decision; ask again");
    }

    private FilterAnswer Refuse(PodAsk ask, PodReference pod, NodeOffer offer, Terms terms, long position)
    {
        var refused = RefusedNodes.Of(ask, offer.Registered, terms);
        waiting.Refused(ask, position);
        refusals.Record(new RefusePlacement(ask, refused, offer.Names.Count - offer.Registered.Count, position));
        events.Tell(pod, () => PodEventWords.FilteringFailed(refused, offer.Names.Count));
        return Failing(offer, refused);
    }

    /// <summary>The best few nodes, the best last, as HAMi lists them.</summary>
    private static List<(string, double)> Scores(NodeChoice choice) =>
        [.. choice.RunnersUp.Reverse().Select(n => (n.Node, (double)n.Score)), (choice.Best!.Node.Name, choice.Best.Node.Score)];

    private Terms TermsOf(PodAsk ask, ClusterLedger ledger) => view.TermsFor(ledger, ask.Namespace, ask.Uid).For(ask, view.LargestCardMiB);

    /// <summary>Whole nodes are given live by a scheduler without a node cache, or to ask "what if" of nodes that are not there.</summary>
    private async ValueTask<bool> IsSimulationAsync(PodAsk ask, NodeOffer offer, CancellationToken cancellationToken) =>
        offer.IsWhole && !(offer.Names.TrueForAll(nodes.Knows) && await pending.HasAsync(ask.Namespace, ask.Name, ask.Uid, cancellationToken));

    /// <summary>Would the pod fit on these nodes were they empty? Keeps nothing, writes nothing.</summary>
    private FilterAnswer Simulate(PodAsk ask, NodeOffer offer)
    {
        var terms = TermsOf(ask, log.Ledger);
        var (passed, failed) = (new List<int>(), new List<FailedNode>());
        for (var i = 0; i < offer.Names.Count; i++)
        {
            if (SimulatedNode.Of(offer.Names[i], offer.Annotations(i)) is not { } node)
                failed.Add(new(offer.Names[i], PlaceAllocationDecider.NodeUnregistered));
            else if (NodeFit.FitsAny(ask, [node], terms))
                passed.Add(i);
            else
                failed.Add(new(node.Name, RefusedNodes.Of(ask, [node], terms).Nodes[0].Reasons.Text));
        }
        return new(offer, passed, failed, "");
    }

    private static FilterAnswer Failing(NodeOffer offer, RefusedNodes refused)
    {
        if (refused.Nodes.Length == offer.Names.Count)
            return new(offer, null, [], "", refused);
        var registered = refused.Nodes.Select(n => n.Node).ToHashSet(StringComparer.Ordinal);
        return new(
            offer, null, [.. offer.Names.Where(n => !registered.Contains(n)).Select(n => new FailedNode(n, PlaceAllocationDecider.NodeUnregistered))], "", refused);
    }

    private static FilterAnswer Passing(NodeOffer offer, IReadOnlyList<int> positions) => new(offer, positions, [], "");

    private static List<int> Positions(NodeOffer offer, List<NodeUse> fitting)
    {
        // Both stand in the order offered.
        var positions = new List<int>(fitting.Count);
        for (var i = 0; i < offer.Names.Count && positions.Count < fitting.Count; i++)
        {
            if (offer.Names[i] == fitting[positions.Count].Name)
                positions.Add(i);
        }
        return positions;
    }
}
