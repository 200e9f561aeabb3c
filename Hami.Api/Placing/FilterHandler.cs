using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Mediator;

namespace Hami.Api.Placing;

/// <summary>Which of the offered nodes takes the pod?</summary>
internal sealed record Filter(FilterArguments Arguments) : IQuery<FilterResult>;

/// <summary>Answers from memory; sets the chosen shares aside and leaves the refusal, if any, for the log.</summary>
internal sealed class FilterHandler(
    ClusterView view, Journal journal, Readiness readiness, RefusalRecorder refusals, WaitingPods waiting, PlacementPolicy policy, ReservationTime keep, TimeProvider time)
    : IQueryHandler<Filter, FilterResult>
{
    private const int MostRunnersUp = 3;
    private const int MostTries = 16;

    public ValueTask<FilterResult> Handle(Filter query, CancellationToken cancellationToken) => new(Answer(query.Arguments));

    private FilterResult Answer(FilterArguments arguments)
    {
        if (arguments.Pod is null)
            return FilterResult.Failed("extender args missing pod");
        var names = arguments.NodeNames ?? arguments.Nodes?.Items?.ConvertAll(n => NodeListJson.NameOf(n) ?? "");
        if (names is null)
            return FilterResult.Failed("extender args name no nodes: NodeNames and Nodes are both missing");

        PodAsk ask;
        try
        {
            (ask, var refused) = PodAskParser.Parse(arguments.Pod.Shape(), ResourceNames.Nvidia, policy);
            if (refused is not null)
                return FilterResult.Failed(refused.Sentence);
        }
        catch (FormatException e)
        {
            return FilterResult.Failed(e.Message);
        }
        if (!ask.AsksCards)
            return new(arguments.Nodes, arguments.NodeNames, null, null, "");
        if (readiness.WhyNot is { } whyNot)
            return FilterResult.Failed(whyNot);
        if (ask.Uid.Length == 0)
            return FilterResult.Failed("the pod has no metadata.uid, so nothing can be kept for it");

        // Placed before, but the Binding's answer was lost: the same node is the answer while it is on offer.
        if (journal.Ledger.LiveByPod.TryGetValue(ask.Uid, out var live) && names.Contains(live.Node))
            return Chosen(arguments, live.Node, new Dictionary<string, string>(StringComparer.Ordinal));
        return Choose(arguments, ask, names);
    }

    private FilterResult Choose(FilterArguments arguments, PodAsk ask, List<string> names)
    {
        view.DropReservation(ask.Uid);
        for (var tries = 0; tries < MostTries; tries++)
        {
            var position = journal.Ledger.Position;
            var failed = new Dictionary<string, string>(StringComparer.Ordinal);
            var nodes = Registered(names, failed);
            var choice = NodeChoice.Among(ask, nodes);
            foreach (var unfit in choice.Unfit)
                failed[unfit.Node] = unfit.Text();
            if (choice.BestFirst is not [var best, ..])
            {
                waiting.Refused(ask, position);
                refusals.Record(new RefusePlacement(ask, choice.Unfit, failed.Count - choice.Unfit.Count, position));
                return new(null, null, failed, null, "");
            }
            var reservation = new Reservation(
                ask, arguments.Pod!.Metadata?.ResourceVersion ?? "", best.Node.Name, best.Shares, names.Count, choice.RunnersUp(MostRunnersUp),
                time.GetUtcNow() + keep.Duration);
            if (!view.TryReserve(best.Node, reservation))
                continue;
            waiting.Forget(ask.Uid);
            return Chosen(arguments, best.Node.Name, failed);
        }
        return FilterResult.Failed("the chosen nodes kept changing under the decision; ask again");
    }

    private List<NodeUse> Registered(List<string> names, Dictionary<string, string> failed)
    {
        var nodes = new List<NodeUse>(names.Count);
        foreach (var name in names)
        {
            if (view.Node(name) is { } node)
                nodes.Add(node);
            else
                failed[name] = PlaceAllocationDecider.NodeUnregistered;
        }
        return nodes;
    }

    private static FilterResult Chosen(FilterArguments arguments, string node, Dictionary<string, string> failed) => arguments.NodeNames is not null
        ? new(null, [node], failed, null, "")
        : new(new([.. arguments.Nodes!.Items!.Where(n => NodeListJson.NameOf(n) == node)]), null, failed, null, "");
}

/// <summary>How long shares stay reserved between filter and bind; longer than the cluster's longest PreBind.</summary>
internal sealed record ReservationTime(TimeSpan Duration)
{
    public static readonly ReservationTime Default = new(TimeSpan.FromSeconds(60));
}
