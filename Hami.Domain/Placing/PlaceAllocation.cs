using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>Give a pod its shares on one node.</summary>
/// <param name="AllocationId">Id of the allocation should it be placed.</param>
/// <param name="Candidates">How many nodes the caller of the cluster-wide choice offered; 0 when unknown.</param>
/// <param name="RunnersUp">The next best nodes of that choice.</param>
/// <param name="Reservations">Soft reservations of other pods on the node, to be honoured.</param>
/// <param name="Host">CPU and memory of the node's own that are free; null when unknown.</param>
public sealed record PlaceAllocation(
    Guid AllocationId, PodAsk Ask, string Node, int Candidates, IReadOnlyList<ScoredNode> RunnersUp, IReadOnlyList<ReservedShares> Reservations,
    HostRoom? Host = null);

public static class PlaceAllocationDecider
{
    public const string AlreadyPlaced = "AlreadyPlaced";
    public const string NodeUnregistered = "node unregistered";
    public const string NodeUnfitPod = "NodeUnfitPod";

    public static Verdict<NodeEvent> Decide(PlaceAllocation command, ClusterLedger cluster)
    {
        var ask = command.Ask;
        // kube-scheduler asks again after a timeout; the second answer must not take a second share.
        if (cluster.LiveByPod.TryGetValue(ask.Uid, out var live))
        {
            return live.Node == command.Node
                ? Verdict<NodeEvent>.Nothing
                : new Refusal(AlreadyPlaced, $"pod {ask.Namespace}/{ask.Name} already holds an allocation on node {live.Node}");
        }
        if (!cluster.Nodes.TryGetValue(command.Node, out var ledger) || ledger.Cards.Count == 0)
            return new Refusal(NodeUnregistered, $"node {command.Node} has registered no cards");

        // One that has been placed since the command was made is in the ledger already and must not count twice.
        var reservations = command.Reservations.Where(r => !cluster.LiveByPod.ContainsKey(r.PodUid)).ToList();
        var node = reservations.Aggregate(NodeUse.Of(command.Node, ledger, command.Host), (use, r) => use.With(r.Shares));
        var terms = cluster.TermsFor(ask.Namespace);
        var shares = new List<Share>();
        Span<int> refusals = stackalloc int[CardRefusals.Count];
        if (!NodeFit.TryFit(ask, node, terms, shares, refusals))
            return new Refusal(NodeUnfitPod, UnfitReasons.From(ledger.Cards.Count, refusals).Text);

        return new NodeEvent.AllocationPlaced(
            command.AllocationId, ask.Uid, ask.Namespace, ask.Name, command.Node, ask.Containers.Count, shares,
            new(cluster.Position, command.Candidates, command.RunnersUp, ask.Nodes.Word(), ask.Cards.Word,
                NodeChoice.Rounded(node.Score), reservations, ask, terms.Quota.IsUnlimited ? null : terms.Quota, cluster.Policy?.Version ?? 0, command.Host, cluster.Workload?.Version ?? 0));
    }
}
