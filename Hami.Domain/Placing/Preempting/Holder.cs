using Hami.Domain.Ledger;

namespace Hami.Domain.Placing.Preempting;

/// <summary>A pod that holds shares of a node, or has them set aside, as preemption looks at it.</summary>
/// <param name="Allocation">Grows with time: of equally important pods the youngest goes first; empty for what is only set aside.</param>
/// <param name="Priority"><c>spec.priority</c>.</param>
/// <param name="Fate">Whether it may be evicted.</param>
public sealed record Holder(
    string PodUid, string Namespace, Guid Allocation, IReadOnlyList<Share> Shares, int Priority, HolderFate Fate);

/// <summary>What becomes of a pod when another one needs its node.</summary>
public enum HolderFate
{
    /// <summary>It cannot be evicted: the cluster does not have it on the node.</summary>
    Stays,

    /// <summary>It goes if it is less important and its cards help.</summary>
    MayGo,

    /// <summary>It goes anyway: kube-scheduler wants its CPU or memory, or it is ending already.</summary>
    Goes,
}
