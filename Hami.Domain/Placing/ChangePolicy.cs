using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>Place pods without annotations of their own by this policy from now on.</summary>
/// <param name="By">Who says so.</param>
public sealed record ChangePolicy(PlacementPolicy Policy, string By);

public static class ChangePolicyDecider
{
    public static Verdict<PolicyEvent> Decide(ChangePolicy command, ClusterLedger cluster)
    {
        var (nodes, cards) = (command.Policy.Nodes.Word(), command.Policy.Cards.Word);
        return cluster.Policy is { } before && before.NodePolicy == nodes && before.GpuPolicy == cards
            ? Verdict<PolicyEvent>.Nothing
            : new PolicyEvent.PolicyChanged(nodes, cards, cluster.Policy?.NodePolicy, cluster.Policy?.GpuPolicy, command.By);
    }
}
