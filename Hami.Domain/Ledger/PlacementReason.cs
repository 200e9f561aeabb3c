using Hami.Domain.Placing;

namespace Hami.Domain.Ledger;

/// <summary>What the decision saw, so that it can be explained and run again.</summary>
/// <param name="LogPosition">Sequence of the last event folded into the view.</param>
/// <param name="Candidates">How many nodes the caller offered; 0 when the choice was not ours.</param>
/// <param name="RunnersUp">The next best nodes and their scores.</param>
/// <param name="NodePolicy">Policy over nodes in force.</param>
/// <param name="GpuPolicy">Policy over the cards of a node in force.</param>
/// <param name="Score">Score of the chosen node before this pod; higher is fuller.</param>
/// <param name="Reservations">Soft reservations of other pods on this node that were honoured.</param>
/// <param name="Ask">What the pod asked, as it was understood; null in events written before it was kept.</param>
/// <param name="Quota">The namespace's room at the time; null when no quota limits it.</param>
/// <param name="PolicyVersion">How often the cluster's policy had been changed.</param>
/// <param name="Host">CPU and memory of the node's own that were free; null when unknown.</param>
/// <param name="WorkloadVersion">How often the typical workload had been learned; 0 for the assumed one.</param>
public sealed record PlacementReason(
    long LogPosition, int Candidates, IReadOnlyList<ScoredNode> RunnersUp, string NodePolicy, string GpuPolicy, decimal Score,
    IReadOnlyList<ReservedShares> Reservations, PodAsk? Ask = null, QuotaRoom? Quota = null, int PolicyVersion = 0, HostRoom? Host = null, int WorkloadVersion = 0);

/// <summary>A node that fitted, with its score.</summary>
public sealed record ScoredNode(string Node, decimal Score);

/// <summary>Shares another pod had reserved and not yet taken.</summary>
public sealed record ReservedShares(string PodUid, IReadOnlyList<Share> Shares);
