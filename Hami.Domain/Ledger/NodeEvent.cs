namespace Hami.Domain.Ledger;

/// <summary>What has happened to the accelerators of one node. Streams are <see cref="Streams.Node"/>.</summary>
/// <remarks>Stored for ever: add a field with a default, never rename or repurpose one.</remarks>
public abstract record NodeEvent
{
    /// <summary>The node agent published another set of cards than the one known before.</summary>
    public sealed record DevicesRegistered(string Node, IReadOnlyList<Card> Cards) : NodeEvent;

    /// <summary>A pod was given shares of this node's cards; written before Kubernetes hears of it.</summary>
    /// <param name="Containers">Number of the pod's containers, init containers included: the length of its device list.</param>
    public sealed record AllocationPlaced(
        Guid AllocationId, string PodUid, string Namespace, string Pod, string Node, int Containers,
        IReadOnlyList<Share> Shares, PlacementReason Because) : NodeEvent;

    /// <summary>The API server holds the pod on this node, with this allocation in its annotations.</summary>
    public sealed record AllocationBound(Guid AllocationId) : NodeEvent;

    /// <summary>The node agent handed the devices to the pod's containers (<c>hami.io/bind-phase: success</c>).</summary>
    public sealed record AllocationAttached(Guid AllocationId) : NodeEvent;

    /// <summary>The pod no longer holds its shares.</summary>
    public sealed record AllocationReleased(Guid AllocationId, string PodUid, ReleaseReason Reason) : NodeEvent;

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

/// <summary>One card of a node, as its agent registered it.</summary>
/// <param name="Uuid">UUID of the physical card.</param>
/// <param name="Index">NVML index.</param>
/// <param name="Model">Product name, as published.</param>
/// <param name="MemoryMiB">Device memory in MiB, memory scaling applied.</param>
/// <param name="Cores">Percent of compute; 100 is one whole card.</param>
/// <param name="Slots">How many containers may share the card.</param>
/// <param name="Numa">NUMA node; 0 also when unknown.</param>
/// <param name="Mode"><c>hami-core</c>, <c>mig</c> or <c>mps</c>.</param>
public sealed record Card(string Uuid, int Index, string Model, long MemoryMiB, int Cores, int Slots, int Numa, string Mode, bool Healthy);

/// <summary>One container's part of one card.</summary>
/// <param name="ContainerIndex">Position among the pod's containers, init containers first.</param>
/// <param name="Container">Name of the container.</param>
/// <param name="EndsBeforeApps">True for an init container that has ended when the app containers start.</param>
/// <param name="DeviceUuid">UUID of the physical card.</param>
/// <param name="MemoryMiB">Device memory in MiB.</param>
/// <param name="Cores">Percent of one card.</param>
public sealed record Share(int ContainerIndex, string Container, bool EndsBeforeApps, string DeviceUuid, long MemoryMiB, int Cores);

/// <summary>What the decision saw, so that it can be explained and run again.</summary>
/// <param name="LogPosition">Sequence of the last event folded into the view.</param>
/// <param name="Candidates">How many nodes the caller offered; 0 when the choice was not ours.</param>
/// <param name="RunnersUp">The next best nodes and their scores.</param>
/// <param name="NodePolicy">Policy over nodes in force.</param>
/// <param name="GpuPolicy">Policy over the cards of a node in force.</param>
/// <param name="Score">Score of the chosen node before this pod; higher is fuller.</param>
/// <param name="Reservations">Soft reservations of other pods on this node that were honoured.</param>
public sealed record PlacementReason(
    long LogPosition, int Candidates, IReadOnlyList<ScoredNode> RunnersUp, string NodePolicy, string GpuPolicy, decimal Score,
    IReadOnlyList<ReservedShares> Reservations);

/// <summary>A node that fitted, with its score.</summary>
public sealed record ScoredNode(string Node, decimal Score);

/// <summary>Shares another pod had reserved and not yet taken.</summary>
public sealed record ReservedShares(string PodUid, IReadOnlyList<Share> Shares);
