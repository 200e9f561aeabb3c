namespace Hami.NodeAgent.Plumbing.Cluster;

/// <summary>A pod as the API server tells it, down to what a node agent asks of it; what else the object has is skipped unread.</summary>
internal sealed record Pod(ObjectMeta Metadata, PodSpec Spec, PodStatus? Status = null)
{
    public string Uid => Metadata.Uid;

    public string Name => Metadata.Name;

    public string Namespace => Metadata.Namespace ?? "";

    /// <summary>Null when the pod has none of that name.</summary>
    public string? Annotation(string key) => Metadata.Annotations?.GetValueOrDefault(key);
}

/// <summary>What the API server answers to a list of pods.</summary>
/// <param name="Items">Null where Go writes an empty list so.</param>
internal sealed record PodList(ListMeta Metadata, IReadOnlyList<Pod>? Items)
{
    public IReadOnlyList<Pod> Pods => Items ?? [];
}

internal sealed record ListMeta(string ResourceVersion);

internal sealed record ObjectMeta(
    string Name, string? Namespace, string Uid, string? ResourceVersion = null, DateTimeOffset? CreationTimestamp = null, DateTimeOffset? DeletionTimestamp = null,
    IReadOnlyDictionary<string, string>? Annotations = null);

internal sealed record PodSpec(IReadOnlyList<Container>? InitContainers, IReadOnlyList<Container>? Containers);

/// <param name="RestartPolicy">Of an init container alone; "Always" makes it a sidecar.</param>
internal sealed record Container(string Name, IReadOnlyList<EnvVar>? Env = null, ResourceRequirements? Resources = null, string? RestartPolicy = null);

internal sealed record EnvVar(string Name, string? Value = null);

internal sealed record ResourceRequirements(IReadOnlyDictionary<string, Quantity>? Limits = null, IReadOnlyDictionary<string, Quantity>? Requests = null);

internal sealed record PodStatus(
    string? Phase, IReadOnlyList<ContainerStatus>? InitContainerStatuses = null, IReadOnlyList<ContainerStatus>? ContainerStatuses = null,
    IReadOnlyList<ContainerStatus>? EphemeralContainerStatuses = null);

/// <param name="ContainerID">With the runtime's name before it, such as <c>containerd://…</c>.</param>
internal sealed record ContainerStatus(
    string Name, string? ContainerID = null, bool? Started = null, int RestartCount = 0, ContainerState? State = null, ContainerState? LastState = null);

/// <summary>One of the three is set.</summary>
internal sealed record ContainerState(RunningState? Running = null, WaitingState? Waiting = null, TerminatedState? Terminated = null);

internal sealed record RunningState(DateTimeOffset? StartedAt = null);

internal sealed record WaitingState(string? Reason = null);

internal sealed record TerminatedState(int ExitCode, DateTimeOffset? StartedAt = null);
