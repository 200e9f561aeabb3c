using System.Text;
using k8s.Models;

namespace Hami.Lab.Kubelet;

/// <summary>What a pod can ask about itself, in its environment and in downward API volumes.</summary>
internal static class PodFields
{
    /// <summary>The value of a fieldRef; null when there is no such field.</summary>
    public static string? Of(string path, V1Pod pod, NodeSurroundings node) => path switch
    {
        "metadata.name" => pod.Metadata.Name,
        "metadata.namespace" => pod.Metadata.NamespaceProperty,
        "metadata.uid" => pod.Metadata.Uid,
        "metadata.labels" => Lines(pod.Metadata.Labels),
        "metadata.annotations" => Lines(pod.Metadata.Annotations),
        "spec.nodeName" => node.NodeName,
        "spec.serviceAccountName" => pod.Spec.ServiceAccountName ?? "default",
        "status.hostIP" or "status.podIP" or "status.hostIPs" or "status.podIPs" => node.Address,
        _ => Keyed(path, "metadata.labels", pod.Metadata.Labels) ?? Keyed(path, "metadata.annotations", pod.Metadata.Annotations),
    };

    /// <summary>The value of a resourceFieldRef, in whole divisors, rounded up; what has no limit has the node's. Null when there is no such resource.</summary>
    public static string? Of(V1ResourceFieldSelector asked, V1Container container)
    {
        if (asked.Resource.Split('.', 2) is not [var list, var resource] || list is not ("limits" or "requests"))
            return null;
        var quantity = Find(list == "limits" ? container.Resources?.Limits : container.Resources?.Requests, resource);
        if (quantity is null && list == "limits")
            quantity = Find(NodeResources.Basics(), resource);
        var divisor = asked.Divisor is { } divided && Quantity.Of(divided) is > 0 and var d ? d : 1;
        return Math.Ceiling((quantity is null ? 0 : Quantity.Of(quantity)) / divisor).ToString("0");
    }

    private static ResourceQuantity? Find(IDictionary<string, ResourceQuantity>? quantities, string resource) =>
        quantities is not null && quantities.TryGetValue(resource, out var quantity) ? quantity : null;

    private static string? Keyed(string path, string list, IDictionary<string, string>? values)
    {
        if (!path.StartsWith($"{list}['", StringComparison.Ordinal) || !path.EndsWith("']", StringComparison.Ordinal))
            return null;
        var key = path[(list.Length + 2)..^2];
        return values?.TryGetValue(key, out var value) == true ? value : "";
    }

    // One line each, the value in Go's quotes.
    private static string Lines(IDictionary<string, string>? values)
    {
        var text = new StringBuilder();
        foreach (var (key, value) in (values ?? new Dictionary<string, string>(StringComparer.Ordinal)).OrderBy(v => v.Key, StringComparer.Ordinal))
            text.Append(text.Length > 0 ? "\n" : "").Append(key).Append("=\"").Append(value.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n")).Append('"');
        return text.ToString();
    }
}
