using Hami.Domain.Placing;

namespace Hami.Domain.Ledger;

/// <summary>What has happened to one pod before it held anything. Streams are <see cref="Streams.Pod"/>.</summary>
/// <remarks>Stored for ever: add a field with a default, never rename or repurpose one.</remarks>
public abstract record PodEvent
{
    /// <summary>No offered node could take the pod; written once per change of reasons.</summary>
    /// <param name="Message">One sentence for people.</param>
    /// <param name="LogPosition">Sequence of the last event folded into the view that refused.</param>
    /// <param name="Ask">What the pod asked, as it was understood; null in events written before it was kept.</param>
    public sealed record PlacementRefused(
        string PodUid, string Namespace, string Pod, string Message, IReadOnlyList<RefusalCount> Reasons, long LogPosition, PodAsk? Ask = null) : PodEvent;

    /// <summary>The pod went away while it was still waiting.</summary>
    public sealed record WorkloadWithdrawn(string PodUid) : PodEvent;

    /// <summary>Pods were named that would make room for this one if they were evicted.</summary>
    /// <param name="Nodes">Nodes where that would help, with the pods to evict.</param>
    /// <param name="Message">One sentence for people.</param>
    /// <param name="LogPosition">Sequence of the last event folded into the view that planned.</param>
    public sealed record PreemptionPlanned(
        string PodUid, string Namespace, string Pod, IReadOnlyList<PlannedVictims> Nodes, string Message, long LogPosition) : PodEvent;

    private PodEvent() { }
}

/// <summary>Pods to be evicted from one node.</summary>
public sealed record PlannedVictims(string Node, IReadOnlyList<string> PodUids);

/// <summary>How often one reason refused a pod.</summary>
/// <param name="Reason">HAMi's reason word, such as <c>CardInsufficientMemory</c>.</param>
/// <param name="Cards">Cards that refused for it, over all nodes; for a reason of whole nodes, the nodes.</param>
/// <param name="ExampleNodes">At most three nodes where it happened.</param>
public sealed record RefusalCount(string Reason, int Cards, IReadOnlyList<string> ExampleNodes);
