using Hami.Domain.Ledger;

namespace Hami.Domain.Registering;

/// <summary>Place nothing more on a node that left the cluster or is none of ours any more.</summary>
public sealed record RemoveNode(string Node, string Reason);

public static class RemoveNodeDecider
{
    public static Verdict<NodeEvent> Decide(RemoveNode command, NodeLedger node) =>
        node.Cards.Count == 0 ? Verdict<NodeEvent>.Nothing : new NodeEvent.NodeRemoved(command.Node, command.Reason);
}
