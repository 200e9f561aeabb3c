using System.Text.Json;
using System.Text.Json.Serialization;
using Hami.Api.Plumbing.Telling;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using k8s.Models;

namespace Hami.Api.Plumbing.Kubernetes;

/// <summary>The few fields of a pod that admission and placement read; everything else in the JSON is skipped.</summary>
internal sealed record PodJson(PodJson.Meta? Metadata, PodJson.PodSpec? Spec)
{
    internal sealed record Meta(
        string? Name, string? GenerateName, string? Namespace, string? Uid, string? ResourceVersion,
        Dictionary<string, string>? Annotations, Dictionary<string, string>? Labels)
    {
        public List<OwnerReference?>? OwnerReferences { get; init; }
    }

    internal sealed record OwnerReference(string? Kind, string? Name, bool? Controller);

    internal sealed record PodSpec(
        string? SchedulerName, string? NodeName, string? RuntimeClassName, SchedulingGroup? SchedulingGroup,
        List<Container?>? Containers, List<Container?>? InitContainers, Resources? Resources, Dictionary<string, JsonElement>? Overhead)
    {
        public int? Priority { get; init; }

        public string? PreemptionPolicy { get; init; }
    }

    internal sealed record SchedulingGroup(string? PodGroupName);

    internal sealed record Container(string? Name, string? RestartPolicy, Resources? Resources, List<Variable?>? Env, SecurityContext? SecurityContext)
    {
        /// <summary>ConfigMaps and Secrets that are taken over whole; only that there are some is read.</summary>
        public List<JsonElement>? EnvFrom { get; init; }
    }

    /// <summary>An environment variable.</summary>
    /// <param name="Value">Null for a variable that is taken from elsewhere.</param>
    internal sealed record Variable(string? Name, string? Value);

    internal sealed record Resources(Dictionary<string, JsonElement>? Limits, Dictionary<string, JsonElement>? Requests);

    internal sealed record SecurityContext(bool? Privileged);

    /// <summary>All containers, init containers first.</summary>
    /// <exception cref="FormatException">One of them is null.</exception>
    [JsonIgnore]
    public IEnumerable<(Container Container, bool IsInit)> AllContainers =>
        (Spec?.InitContainers ?? []).Select(c => (c ?? throw Missing(), true)).Concat((Spec?.Containers ?? []).Select(c => (c ?? throw Missing(), false)));

    /// <summary>Which pod it is.</summary>
    public PodReference Reference() =>
        new(Metadata?.Namespace ?? "default", Metadata?.Name ?? "", Metadata?.Uid ?? "", Metadata?.ResourceVersion ?? "");

    /// <summary>What placement reads.</summary>
    /// <param name="names">Resources that are ours; of the others only CPU and memory are read.</param>
    /// <exception cref="FormatException">A quantity of ours is none, or a container is; the message says which.</exception>
    public PodShape Shape(ResourceNames names, string? namespaceOtherwise = null) => new(
        Metadata?.Uid ?? "",
        Metadata?.Namespace ?? namespaceOtherwise ?? "default",
        Metadata?.Name ?? Metadata?.GenerateName ?? "",
        Metadata?.Annotations ?? [],
        [.. AllContainers.Select(c => new ContainerShape(
            c.Container.Name ?? "", c.IsInit, c.Container.RestartPolicy == "Always",
            Quantities(c.Container.Name, c.Container.Resources?.Limits, names), Quantities(c.Container.Name, c.Container.Resources?.Requests, names)))])
    {
        Labels = Metadata?.Labels ?? [],
        SchedulingGroup = Spec?.SchedulingGroup?.PodGroupName,
        Owner = Metadata?.OwnerReferences?.Find(o => o?.Controller is true) is { } owner ? WorkloadOwner.Of(owner.Kind, owner.Name, Metadata.Labels ?? []) : null,
        Requests = Quantities(null, Spec?.Resources?.Requests, names),
        Overhead = Quantities(null, Spec?.Overhead, names),
    };

    private static FormatException Missing() => new("one of the pod's containers is null; write what it runs, or leave it out");

    private static Dictionary<string, decimal> Quantities(string? container, Dictionary<string, JsonElement>? quantities, ResourceNames names)
    {
        var parsed = new Dictionary<string, decimal>(StringComparer.Ordinal);
        foreach (var (resource, value) in quantities ?? [])
            PodReading.Read(parsed, container, resource, names, Text(value));
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
    /// <inheritdoc cref="PodJson.Shape"/>
    public static PodShape Shape(V1Pod pod, ResourceNames names) => new(
        pod.Uid(), pod.Namespace(), pod.Name(),
        Words(pod.Annotations()),
        [.. (pod.Spec.InitContainers ?? []).Select(c => Shape(c, isInit: true, names)), .. pod.Spec.Containers.Select(c => Shape(c, isInit: false, names))])
    {
        Labels = Words(pod.Labels()),
        SchedulingGroup = pod.Spec.SchedulingGroup?.PodGroupName,
        Owner = Owner(pod),
        Requests = Quantities(null, pod.Spec.Resources?.Requests, names),
        Overhead = Quantities(null, pod.Spec.Overhead, names),
    };

    /// <summary>What the pod belongs to; null for a pod of its own.</summary>
    public static WorkloadOwner? Owner(V1Pod pod) => pod.OwnerReferences()?.FirstOrDefault(o => o.Controller is true) is { } owner
        ? WorkloadOwner.Of(owner.Kind, owner.Name, Words(pod.Labels()))
        : null;

    /// <summary>Adds a quantity to what was parsed, if the resource is one that is read.</summary>
    /// <exception cref="FormatException">It is none, or larger than 28 digits can say; CPU and memory are then left out.</exception>
    public static void Read(Dictionary<string, decimal> parsed, string? container, string resource, ResourceNames names, string text)
    {
        var isOurs = resource == names.Count || resource == names.Memory || resource == names.MemoryPercent || resource == names.Cores || resource == names.Priority;
        if (!isOurs && resource is not ("cpu" or "memory"))
            return;
        if (Quantity.TryParse(text, out var value))
            parsed[resource] = value;
        else if (isOurs)
            throw new FormatException($"invalid {resource} value {Excerpt(text)} in container {container}: is not a Kubernetes quantity that a card could have");
    }

    private static ContainerShape Shape(V1Container container, bool isInit, ResourceNames names) => new(
        container.Name, isInit, container.RestartPolicy == "Always",
        Quantities(container.Name, container.Resources?.Limits, names), Quantities(container.Name, container.Resources?.Requests, names));

    private static Dictionary<string, decimal> Quantities(string? container, IDictionary<string, ResourceQuantity>? quantities, ResourceNames names)
    {
        var parsed = new Dictionary<string, decimal>(StringComparer.Ordinal);
        foreach (var (resource, quantity) in quantities ?? new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal))
            Read(parsed, container, resource, names, quantity.ToString());
        return parsed;
    }

    private static string Excerpt(string text) => text.Length <= 64 ? text : $"{text[..64]}…";

    private static Dictionary<string, string> Words(IDictionary<string, string>? words) => words is null ? [] : new(words, StringComparer.Ordinal);
}
