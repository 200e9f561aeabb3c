using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>What the scheduler remembers of a pod: enough to place others around it, little enough for ten thousand.</summary>
internal sealed class PodRecord
{
    public PodRecord(V1Pod pod)
    {
        Uid = pod.Metadata.Uid;
        Namespace = pod.Metadata.NamespaceProperty;
        Name = pod.Metadata.Name;
        ResourceVersion = pod.Metadata.ResourceVersion;
        Labels = pod.Metadata.Labels;
        Node = pod.Spec.NodeName;
        Priority = pod.Spec.Priority ?? 0;
        Tolerations = pod.Spec.Tolerations ?? [];
        Asks = PodAmounts.Of(pod);
        AsksToCompare = PodAmounts.WithSilentOnes(pod);
        HostPorts = [.. HostPort.Of(pod)];
        Near = AffinityTerm.Required(pod.Spec.Affinity?.PodAffinity, pod);
        FarFrom = AffinityTerm.Required(pod.Spec.Affinity?.PodAntiAffinity, pod);
        StartedAt = pod.Status?.StartTime;
        IsEnding = pod.Metadata.DeletionTimestamp is not null;
        IsPreempted = pod.Status?.Conditions?.Any(c => c is { Type: "DisruptionTarget", Status: "True", Reason: "PreemptionByScheduler" }) == true;
    }

    public string Uid { get; }

    public string Namespace { get; }

    public string Name { get; }

    public string? ResourceVersion { get; }

    public IDictionary<string, string>? Labels { get; }

    /// <summary>Where it is or is about to be; null while it waits.</summary>
    public string? Node { get; private set; }

    public int Priority { get; }

    public IList<V1Toleration> Tolerations { get; }

    public Amounts Asks { get; }

    public Amounts AsksToCompare { get; }

    public IReadOnlyList<HostPort> HostPorts { get; }

    public IReadOnlyList<AffinityTerm> Near { get; }

    public IReadOnlyList<AffinityTerm> FarFrom { get; }

    public DateTime? StartedAt { get; }

    /// <summary>Its deletion has begun.</summary>
    public bool IsEnding { get; }

    public bool IsPreempted { get; }

    /// <summary>The same pod on its way to a node.</summary>
    public PodRecord On(string node)
    {
        var placed = (PodRecord)MemberwiseClone();
        placed.Node = node;
        return placed;
    }
}

/// <summary>A port of the node that a container takes.</summary>
internal readonly record struct HostPort(string Ip, string Protocol, int Port)
{
    private const string AnyIp = "0.0.0.0";

    public bool Collides(HostPort other) =>
        Port == other.Port && Protocol == other.Protocol && (Ip == other.Ip || Ip == AnyIp || other.Ip == AnyIp);

    public static IEnumerable<HostPort> Of(V1Pod pod) =>
        (pod.Spec.InitContainers ?? []).Where(c => c.RestartPolicy == "Always").Concat(pod.Spec.Containers)
            .SelectMany(c => c.Ports ?? [])
            .Where(p => p.HostPort > 0)
            .Select(p => new HostPort(string.IsNullOrEmpty(p.HostIP) ? AnyIp : p.HostIP, p.Protocol ?? "TCP", p.HostPort!.Value));
}
