namespace Hami.Domain.Ledger;

/// <summary>What has happened to the accelerators of one node. Streams are <see cref="Streams.Node"/>.</summary>
/// <remarks>Stored for ever: add a field with a default, never rename or repurpose one.</remarks>
public abstract record NodeEvent
{
    /// <summary>The node agent published another set of cards, or other connections between them, than known before.</summary>
    /// <param name="Links">How well the cards are connected; null when the agent does not say.</param>
    public sealed record DevicesRegistered(string Node, IReadOnlyList<Card> Cards, IReadOnlyList<CardLink>? Links = null) : NodeEvent;

    /// <summary>The node left the cluster, or is none of ours any more; what its pods hold ends with them.</summary>
    /// <param name="Reason">Why, in a sentence.</param>
    public sealed record NodeRemoved(string Node, string Reason) : NodeEvent;

    /// <summary>An admin took a card out of placement; what is on it stays.</summary>
    public sealed record DeviceCordoned(string DeviceUuid) : NodeEvent;

    /// <summary>An admin gave a card back to placement.</summary>
    public sealed record DeviceUncordoned(string DeviceUuid) : NodeEvent;

    /// <summary>A pod was given shares of this node's cards; written before Kubernetes hears of it.</summary>
    /// <param name="Containers">Number of the pod's containers, init containers included: the length of its device list.</param>
    public sealed record AllocationPlaced(
        Guid AllocationId, string PodUid, string Namespace, string Pod, string Node, int Containers,
        IReadOnlyList<Share> Shares, PlacementReason Because) : NodeEvent;

    /// <summary>A pod was found on this node with shares that another scheduler gave it.</summary>
    /// <param name="Source">Where the shares were read, in a sentence.</param>
    /// <param name="IsAttached">True when the pod has its devices already.</param>
    /// <param name="Owner">What the pod belongs to; null for a pod of its own.</param>
    public sealed record AllocationAdopted(
        Guid AllocationId, string PodUid, string Namespace, string Pod, string Node, int Containers,
        IReadOnlyList<Share> Shares, string Source, bool IsAttached, WorkloadOwner? Owner = null) : NodeEvent;

    /// <summary>The API server holds the pod on this node, with this allocation in its annotations.</summary>
    public sealed record AllocationBound(Guid AllocationId) : NodeEvent;

    /// <summary>The node agent handed the devices to the pod's containers (<c>hami.io/bind-phase: success</c>).</summary>
    public sealed record AllocationAttached(Guid AllocationId) : NodeEvent;

    /// <summary>The pod's init containers have succeeded: what only they needed is free.</summary>
    public sealed record AllocationShrunk(Guid AllocationId, string PodUid) : NodeEvent;

    /// <summary>The pod no longer holds its shares.</summary>
    public sealed record AllocationReleased(Guid AllocationId, string PodUid, ReleaseReason Reason) : NodeEvent;

    /// <summary>The node's stream had become long: a new one begins, with what was true then, and the old one is closed.</summary>
    /// <param name="Epoch">Number of the stream that begins.</param>
    /// <param name="PreviousHash">Hash of the event before it in the log, up to which the state is folded.</param>
    /// <param name="State">What a fold of the streams before comes to.</param>
    public sealed record NodeCarriedForward(string Node, int Epoch, string PreviousHash, NodeSnapshot State) : NodeEvent;

    private NodeEvent() { }
}

/// <summary>Why an allocation ended.</summary>
public enum ReleaseReason
{
    /// <summary>The pod reached Succeeded.</summary>
    Completed,

    /// <summary>The pod reached Failed.</summary>
    Failed,

    /// <summary>The pod is gone from the API server.</summary>
    Deleted,

    /// <summary>The Binding was given up; the pod has no node.</summary>
    BindFailed,
}
