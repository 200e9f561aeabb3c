using Hami.Domain.Protocol;
using Hami.NodeAgent.Allocating;
using Hami.NodeAgent.Plumbing.Cluster;
using Hami.NodeAgent.Plumbing;
using Hami.Tests.Given;
using k8s.Models;

namespace Hami.Tests.Allocating;

/// <summary>Pods as the scheduler leaves them on a node.</summary>
internal static class NodePods
{
    public const string Resource = "nvidia.com/gpu";

    public static AgentOptions Options(string dir = "/var/lib/kubelet") =>
        new() { NodeName = "node-1", DeviceFile = "devices.yaml", KubeletDir = dir };

    public static V1Pod Pod(string name, string? list, int[] apps, int[]? init = null, string? phase = BindPhases.Allocating) => new()
    {
        ApiVersion = "v1",
        Kind = "Pod",
        Metadata = new()
        {
            Name = name,
            NamespaceProperty = "default",
            Uid = $"uid-{name}",
            Annotations = list is null ? [] : new Dictionary<string, string>
            {
                [HamiKeys.DevicesAllocated] = list,
                [HamiKeys.DevicesToAllocate] = list,
                [HamiKeys.AllocationId] = "a3d6a5a2-6a0c-4f3f-b3a5-0d1c6f1a7d11",
                [HamiKeys.BindPhase] = phase ?? "",
            },
        },
        Spec = new()
        {
            NodeName = "node-1",
            InitContainers = init is null ? null : [.. init.Select((gpus, i) => Container($"i{i}", gpus))],
            Containers = [.. apps.Select((gpus, i) => Container($"c{i}", gpus))],
        },
        Status = new() { Phase = "Pending" },
    };

    public static PodOnNode Seen(V1Pod pod, long order = 1) => PodOnNode.From(new SeenPod(pod.AsTold(), order), Resource);

    /// <summary>A listed pod; containers as <c>c0</c> or <c>c0=id,id</c>.</summary>
    public static ListedPod Listed(string name, params string[] containers) => new("default", name,
        containers.Select(c => c.Split('=')).ToDictionary(c => c[0], IReadOnlySet<string> (c) =>
            c.Length == 1 ? new HashSet<string>() : c[1].Split(',').ToHashSet(StringComparer.Ordinal), StringComparer.Ordinal));

    private static V1Container Container(string name, int gpus) => new()
    {
        Name = name,
        Image = "app",
        Resources = gpus == 0 ? null : new() { Limits = new Dictionary<string, ResourceQuantity> { [Resource] = new(gpus.ToString()) } },
    };
}
