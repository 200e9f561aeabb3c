using System.Text.Json;
using System.Text.Json.Serialization;
using Hami.Api.Plumbing.Telling;
using Hami.Domain.Placing;
using k8s.Models;

namespace Hami.Api.Plumbing.Kubernetes;

/// <summary>The few fields of a pod that admission and placement read; everything else in the JSON is skipped.</summary>
internal sealed record PodJson(PodJson.Meta? Metadata, PodJson.PodSpec? Spec)
{
    internal sealed record Meta(
        string? Name, string? GenerateName, string? Namespace, string? Uid, string? ResourceVersion, Dictionary<string, string>? Annotations);

    internal sealed record PodSpec(string? SchedulerName, string? NodeName, List<Container>? Containers, List<Container>? InitContainers);

    internal sealed record Container(string? Name, string? RestartPolicy, Resources? Resources, SecurityContext? SecurityContext);

    internal sealed record Resources(Dictionary<string, JsonElement>? Limits, Dictionary<string, JsonElement>? Requests);

    internal sealed record SecurityContext(bool? Privileged);

    /// <summary>All containers, init containers first.</summary>
    [JsonIgnore]
    public IEnumerable<(Container Container, bool IsInit)> AllContainers =>
        (Spec?.InitContainers ?? []).Select(c => (c, true)).Concat((Spec?.Containers ?? []).Select(c => (c, false)));

    /// <summary>Which pod it is.</summary>
    public PodReference Reference() =>
        new(Metadata?.Namespace ?? "default", Metadata?.Name ?? "", Metadata?.Uid ?? "", Metadata?.ResourceVersion ?? "");

    /// <summary>What placement reads.</summary>
    /// <exception cref="FormatException">A quantity is none; the message says which.</exception>
    public PodShape Shape(string? namespaceOtherwise = null) => new(
        Metadata?.Uid ?? "",
        Metadata?.Namespace ?? namespaceOtherwise ?? "default",
        Metadata?.Name ?? Metadata?.GenerateName ?? "",
        Metadata?.Annotations ?? [],
        [.. AllContainers.Select(c => new ContainerShape(
            c.Container.Name ?? "", c.IsInit, c.Container.RestartPolicy == "Always",
            Quantities(c.Container, c.Container.Resources?.Limits), Quantities(c.Container, c.Container.Resources?.Requests)))]);

    private static Dictionary<string, decimal> Quantities(Container container, Dictionary<string, JsonElement>? quantities)
    {
        var parsed = new Dictionary<string, decimal>(StringComparer.Ordinal);
        foreach (var (resource, value) in quantities ?? [])
        {
            // cpu, memory and the like are nobody's business here.
            if (resource.Contains('/'))
                parsed[resource] = PodReading.Quantity(container.Name, resource, Text(value));
        }
        return parsed;
    }

    private static string Text(JsonElement value)
    {
        try
        {
            return value.ValueKind is JsonValueKind.String ? value.GetString()! : value.GetRawText();
        }
        catch (InvalidOperationException)
        {
            return "half a character"; // an escaped surrogate without its other half
        }
    }
}

/// <summary>Reads the shape of a pod as the client library delivers it.</summary>
internal static class PodReading
{
    public static PodShape Shape(V1Pod pod) => new(
        pod.Uid(), pod.Namespace(), pod.Name(),
        pod.Annotations() is { } annotations ? new Dictionary<string, string>(annotations, StringComparer.Ordinal) : [],
        [.. (pod.Spec.InitContainers ?? []).Select(c => Shape(c, isInit: true)), .. pod.Spec.Containers.Select(c => Shape(c, isInit: false))]);

    /// <summary>Parses a Kubernetes quantity.</summary>
    /// <exception cref="FormatException">It is none, or larger than 28 digits can say.</exception>
    public static decimal Quantity(string? container, string resource, string text)
    {
        try
        {
            return new ResourceQuantity(text).ToDecimal();
        }
        catch (Exception e) when (e is FormatException or OverflowException or ArgumentException)
        {
            throw new FormatException($"container {container} asks {resource}: {text}, which is not a Kubernetes quantity that a card could have", e);
        }
    }

    private static ContainerShape Shape(V1Container container, bool isInit) => new(
        container.Name, isInit, container.RestartPolicy == "Always",
        Quantities(container, container.Resources?.Limits), Quantities(container, container.Resources?.Requests));

    private static Dictionary<string, decimal> Quantities(V1Container container, IDictionary<string, ResourceQuantity>? quantities) =>
        (quantities ?? new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal))
            .Where(q => q.Key.Contains('/'))
            .ToDictionary(q => q.Key, q => Quantity(container.Name, q.Key, q.Value.ToString()), StringComparer.Ordinal);
}
