using System.Collections.ObjectModel;

namespace Hami.Domain.Placing;

/// <summary>What placement and admission read of a Kubernetes pod; quantities are parsed already.</summary>
/// <param name="Containers">Init containers first, in the order of the spec.</param>
public sealed record PodShape(
    string Uid, string Namespace, string Name, IReadOnlyDictionary<string, string> Annotations, IReadOnlyList<ContainerShape> Containers)
{
    public IReadOnlyDictionary<string, string> Labels { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary><c>spec.schedulingGroup.podGroupName</c>; null when the pod names none.</summary>
    public string? SchedulingGroup { get; init; }

    /// <summary>What the pod belongs to; null for a pod of its own.</summary>
    public Ledger.WorkloadOwner? Owner { get; init; }

    /// <summary><c>spec.resources.requests</c>: where it names CPU or memory it counts instead of the containers' sum.</summary>
    public IReadOnlyDictionary<string, decimal> Requests { get; init; } = ReadOnlyDictionary<string, decimal>.Empty;

    /// <summary><c>spec.overhead</c>: what running the pod costs beside its containers.</summary>
    public IReadOnlyDictionary<string, decimal> Overhead { get; init; } = ReadOnlyDictionary<string, decimal>.Empty;
}

/// <summary>What placement and admission read of a container.</summary>
/// <param name="IsInit">Listed under <c>initContainers</c>.</param>
/// <param name="IsSidecar">An init container with <c>restartPolicy: Always</c>: it runs beside the app containers.</param>
/// <param name="Limits">Limits of our resources, CPU and memory by name.</param>
/// <param name="Requests">Requests of the same.</param>
public sealed record ContainerShape(
    string Name, bool IsInit, bool IsSidecar, IReadOnlyDictionary<string, decimal> Limits, IReadOnlyDictionary<string, decimal> Requests)
{
    /// <summary>True for an init container that has ended when the app containers start.</summary>
    public bool EndsBeforeApps => IsInit && !IsSidecar;

    /// <summary>The limit, else the request, else null.</summary>
    public decimal? Asked(string resource) =>
        Limits.TryGetValue(resource, out var limit) ? limit : Requests.TryGetValue(resource, out var request) ? request : null;

    /// <summary>The request, else the limit, else 0: what Kubernetes sets aside on the node.</summary>
    public decimal Reserved(string resource) =>
        Requests.TryGetValue(resource, out var request) ? request : Limits.TryGetValue(resource, out var limit) ? limit : 0;
}
