using System.Text.Json.Nodes;
using k8s;
using k8s.Models;

namespace Hami.Lab.Kubelet;

/// <summary>What the kubelet says about its node.</summary>
internal static class NodeStatus
{
    public static readonly IReadOnlyList<(string Type, bool Good, string Reason, string Message)> AllIsWell =
    [
        ("MemoryPressure", false, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", false, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", false, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", true, "KubeletReady", "kubelet is posting ready status"),
    ];

    /// <summary>A strategic patch of the status subresource.</summary>
    /// <param name="before">The node as the server has it: a condition that stays keeps its time of transition.</param>
    public static JsonObject Patch(
        V1Node before, string address, int port, IReadOnlyDictionary<string, (int Capacity, int Healthy)> devices, DateTimeOffset now)
    {
        var capacity = NodeResources.Basics();
        var allocatable = NodeResources.Basics();
        foreach (var (resource, (count, healthy)) in devices)
        {
            capacity[resource] = new(count.ToString());
            allocatable[resource] = new(healthy.ToString());
        }
        var status = new V1NodeStatus
        {
            // No Hostname: an API server prefers it by default, and no resolver knows our nodes' names.
            Addresses = [new() { Type = "InternalIP", Address = address }],
            Capacity = capacity,
            Allocatable = allocatable,
            DaemonEndpoints = new() { KubeletEndpoint = new() { Port = port } },
            Conditions = [.. AllIsWell.Select(c => Condition(before, c.Type, c.Good ? "True" : "False", c.Reason, c.Message, now))],
            NodeInfo = new()
            {
                Architecture = "amd64",
                OperatingSystem = "linux",
                KubeletVersion = "v1.36.2-lab",
                KubeProxyVersion = "",
                ContainerRuntimeVersion = "process://1.0",
                OsImage = "lab",
                KernelVersion = Environment.OSVersion.Version.ToString(),
                MachineID = before.Metadata.Name,
                SystemUUID = before.Metadata.Name,
                BootID = "",
            },
        };
        return new() { ["status"] = JsonNode.Parse(KubernetesJson.Serialize(status)) };
    }

    private static V1NodeCondition Condition(V1Node before, string type, string status, string reason, string message, DateTimeOffset now)
    {
        var had = before.Status?.Conditions?.FirstOrDefault(c => c.Type == type);
        return new()
        {
            Type = type,
            Status = status,
            Reason = reason,
            Message = message,
            LastHeartbeatTime = now.UtcDateTime,
            LastTransitionTime = had?.Status == status ? had.LastTransitionTime : now.UtcDateTime,
        };
    }
}
