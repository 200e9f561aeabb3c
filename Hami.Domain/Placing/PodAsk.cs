using Hami.Domain.Ledger;

namespace Hami.Domain.Placing;

/// <summary>What one pod asks of accelerators, as it was understood.</summary>
/// <remarks>Kept in the log with the decision: add a field with a default, never rename or repurpose one.</remarks>
/// <param name="Containers">All containers, init containers first; those that ask nothing have <c>Count</c> 0.</param>
/// <param name="Nodes">Policy over the nodes of the cluster.</param>
/// <param name="Cards">Policy over the cards of a node.</param>
/// <param name="Weights">Weights of <c>hami.io/device-scoring-weights</c>; null means equal ones.</param>
/// <param name="Group">Pod group the pod is a member of; null for a pod of its own.</param>
/// <param name="Host">What the pod asks of the node's own CPU and memory; null when unknown.</param>
/// <param name="Owner">What the pod belongs to; null for a pod of its own.</param>
public sealed record PodAsk(
    string Uid, string Namespace, string Name, IReadOnlyList<ContainerAsk> Containers, CardWish Wish, NodePolicy Nodes, CardPolicy Cards,
    ScoringWeights? Weights = null, string? Group = null, HostRoom? Host = null, WorkloadOwner? Owner = null)
{
    /// <summary>True when some container asks for a card.</summary>
    public bool AsksCards()
    {
        for (var i = 0; i < Containers.Count; i++)
        {
            if (Containers[i].Count > 0)
                return true;
        }
        return false;
    }
}

/// <summary>What one container asks of each of its cards.</summary>
/// <param name="EndsBeforeApps">True for an init container that has ended when the app containers start.</param>
/// <param name="Count">Number of distinct cards; of MIG instances where a card is cut into such.</param>
/// <param name="MemoryMiB">Device memory in MiB; 0 when asked by percent.</param>
/// <param name="MemoryPercent">Percent of the card's registered memory; used when <paramref name="MemoryMiB"/> is 0.</param>
/// <param name="Cores">Percent of one card; 0 reserves none, 100 asks for a card that nobody else uses.</param>
public sealed record ContainerAsk(string Name, bool EndsBeforeApps, int Count, long MemoryMiB, int MemoryPercent, int Cores)
{
    /// <summary>Percent of compute that means a card of one's own.</summary>
    public const int WholeCard = 100;

    /// <summary>Device memory in MiB this container needs of a card with that much memory.</summary>
    public long NeedMiB(long cardMemoryMiB) => MemoryMiB > 0 ? MemoryMiB : cardMemoryMiB * MemoryPercent / 100;
}

/// <summary>CPU and memory of a node's own that are free, or that a pod asks for.</summary>
/// <param name="CpuMilli">Thousandths of a CPU.</param>
public sealed record HostRoom(long CpuMilli, long MemoryMiB);
