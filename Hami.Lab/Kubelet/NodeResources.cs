using k8s.Models;

namespace Hami.Lab.Kubelet;

/// <summary>What this machine offers to pods, besides devices.</summary>
internal static class NodeResources
{
    public static Dictionary<string, ResourceQuantity> Basics() => new(StringComparer.Ordinal)
    {
        ["cpu"] = new(Environment.ProcessorCount.ToString()),
        ["memory"] = new($"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1024}Ki"),
        ["ephemeral-storage"] = new("100Gi"),
        ["pods"] = new("110"),
    };
}
