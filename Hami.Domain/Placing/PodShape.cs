namespace Hami.Domain.Placing;

/// <summary>What placement and admission read of a Kubernetes pod; quantities are parsed already.</summary>
/// <param name="Containers">Init containers first, in the order of the spec.</param>
public sealed record PodShape(
    string Uid, string Namespace, string Name, IReadOnlyDictionary<string, string> Annotations, IReadOnlyList<ContainerShape> Containers);

/// <summary>What placement and admission read of a container.</summary>
/// <param name="IsInit">Listed under <c>initContainers</c>.</param>
/// <param name="IsSidecar">An init container with <c>restartPolicy: Always</c>: it runs beside the app containers.</param>
/// <param name="Limits">Resource limits by name.</param>
/// <param name="Requests">Resource requests by name.</param>
public sealed record ContainerShape(
    string Name, bool IsInit, bool IsSidecar, IReadOnlyDictionary<string, decimal> Limits, IReadOnlyDictionary<string, decimal> Requests)
{
    /// <summary>The limit, else the request, else null.</summary>
    public decimal? Asked(string resource) =>
        Limits.TryGetValue(resource, out var limit) ? limit : Requests.TryGetValue(resource, out var request) ? request : null;
}
