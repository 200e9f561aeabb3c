using GraphQL;
using Hami.Api.Asking;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Replaying;

namespace Hami.Api.Replaying;

/// <summary>Why the nodes of a cluster do not take one of its waiting pods.</summary>
internal static class Refusals
{
    public static readonly Order<NodeRefusal> ByNode = Order<NodeRefusal>.Text("node", r => r.Node, r => r.Node);

    /// <summary>A pod that waits, given by its UID or as <c>namespace/name</c>; null when it does not wait.</summary>
    public static WaitingPod? Find(ClusterLedger cluster, string pod) => pod.Split('/') is [var @namespace, var name]
        ? cluster.Waiting.Values.Where(w => w.Refusal.Namespace == @namespace && w.Refusal.Pod == name).MaxBy(w => w.At)
        : cluster.Waiting.GetValueOrDefault(pod);

    /// <summary>A page of the nodes that have cards; only those of the page are tried.</summary>
    /// <param name="search">Only nodes in whose name, or in a card's product name or UUID, this occurs; null for all.</param>
    public static Connection<NodeRefusal> Of(WaitingPod waiting, ClusterLedger cluster, string? search, Page<NodeRefusal> page)
    {
        if (waiting.Refusal.Ask is not { } ask)
            throw new ExecutionError("What the pod asked was not kept when it was refused, by an older version: its nodes cannot be tried until it is refused for other reasons.") { Code = "NOT_KEPT" };
        var names = cluster.Nodes.Where(n => n.Value.Cards.Count > 0 && Takes(search, n.Key, n.Value)).Select(n => n.Key).Order(StringComparer.Ordinal).ToList();
        var terms = cluster.TermsFor(ask.Namespace);
        var rows = names.Where(n => page.After is not { } after || string.CompareOrdinal(n, (string)after.Key) > 0)
            .Take(page.First + 1)
            .Select(n => NodeRefusal.Of(ask, NodeUse.Of(n, cluster.Nodes[n]), terms))
            .Select(r => (r, page.Order.CursorOf(r)));
        return page.Cut([.. rows], _ => Task.FromResult((long)names.Count));
    }

    private static bool Takes(string? search, string name, NodeLedger node) =>
        Match.Has(search, name) || node.Cards.Any(c => Match.Has(search, c.Model) || Match.Has(search, c.Uuid));
}
