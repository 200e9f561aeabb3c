using System.Text.Json;
using Hami.Domain.Protocol;

namespace Hami.Lab.Hollow;

/// <summary>What is written about a hollow node: what its kubelet and its agent would have said together.</summary>
internal static class NodeTexts
{
    public const string Label = "hami.io/lab-node";
    public const string LeaseNamespace = "kube-node-lease";

    public static string Object(HollowNode node, HollowNodesOptions options, int port, DateTimeOffset now) => JsonSerializer.Serialize(new
    {
        apiVersion = "v1",
        kind = "Node",
        metadata = Metadata(node, options),
        spec = new { },
        status = Status(node, port, now),
    });

    /// <summary>For a node that is there: its labels and annotations are brought up to date, what others wrote stays.</summary>
    public static string MetadataPatch(HollowNode node, HollowNodesOptions options) => JsonSerializer.Serialize(new { metadata = Metadata(node, options) });

    public static string StatusPatch(HollowNode node, int port, DateTimeOffset now) => JsonSerializer.Serialize(new { status = Status(node, port, now) });

    public static string Lease(HollowNode node, string nodeUid, TimeSpan duration, DateTimeOffset now) => JsonSerializer.Serialize(new
    {
        apiVersion = "coordination.k8s.io/v1",
        kind = "Lease",
        metadata = new
        {
            name = node.Node.Name,
            @namespace = LeaseNamespace,
            ownerReferences = new[] { new { apiVersion = "v1", kind = "Node", name = node.Node.Name, uid = nodeUid } },
        },
        spec = new { holderIdentity = node.Node.Name, leaseDurationSeconds = (int)duration.TotalSeconds, renewTime = MicroStamp(now) },
    });

    public static string Renewal(HollowNode node, TimeSpan duration, DateTimeOffset now) => JsonSerializer.Serialize(new
    {
        spec = new { holderIdentity = node.Node.Name, leaseDurationSeconds = (int)duration.TotalSeconds, renewTime = MicroStamp(now) },
    });

    private static object Metadata(HollowNode node, HollowNodesOptions options)
    {
        var labels = new Dictionary<string, string>(options.NodeLabels, StringComparer.Ordinal);
        labels.TryAdd("gpu", "on");
        labels[Label] = "hollow";
        labels["kubernetes.io/hostname"] = node.Node.Name;
        labels["kubernetes.io/os"] = "linux";
        labels["kubernetes.io/arch"] = "amd64";
        var register = NodeRegister.Encode([.. node.Node.Cards.Select(card => new PublishedDevice
        {
            Id = card.Uuid,
            Index = card.Index,
            Count = card.MigProfiles?.Max(profile => profile.Placements.Count) ?? options.SplitCount,
            MemoryMiB = card.MemoryMiB,
            Cores = 100,
            Type = card.Model.StartsWith("NVIDIA", StringComparison.Ordinal) ? card.Model : $"NVIDIA-{card.Model}",
            Numa = card.Numa,
            Mode = card.MigProfiles is null ? "hami-core" : "mig",
            MigProfiles = card.MigProfiles,
            Health = true,
        })]);
        return new { name = node.Node.Name, labels, annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [HamiKeys.NodeRegister] = register, [HamiKeys.NodeAgent] = "hollow" } };
    }

    private static object Status(HollowNode node, int port, DateTimeOffset now)
    {
        var resources = HollowNode.Allocatable.ToDictionary(a => a.Key, a => a.Value.ToString(), StringComparer.Ordinal);
        resources[SeenPod.Resource] = node.Devices.ToString();
        return new
        {
            capacity = resources,
            allocatable = resources,
            daemonEndpoints = new { kubeletEndpoint = new { Port = port } },
            addresses = new[] { new { type = "InternalIP", address = PodTexts.Address } },
            conditions = Kubelet.NodeStatus.AllIsWell.Select(c => new
            {
                type = c.Type,
                status = c.Good ? "True" : "False",
                reason = c.Reason,
                message = c.Message,
                lastHeartbeatTime = PodTexts.Stamp(now),
                lastTransitionTime = PodTexts.Stamp(now),
            }),
            nodeInfo = new
            {
                architecture = "amd64",
                operatingSystem = "linux",
                kubeletVersion = "v1.36.2-lab",
                kubeProxyVersion = "",
                containerRuntimeVersion = "hollow://1.0",
                osImage = "lab",
                kernelVersion = "",
                machineID = node.Node.Name,
                systemUUID = node.Node.Name,
                bootID = "",
            },
        };
    }

    private static string MicroStamp(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", System.Globalization.CultureInfo.InvariantCulture);
}
