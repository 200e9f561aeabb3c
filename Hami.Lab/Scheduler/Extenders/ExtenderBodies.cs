using System.Text.Json;
using k8s;
using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>What kube-scheduler sends an extender: Go-cased names, the whole pod, and names of nodes or whole nodes.</summary>
internal static class ExtenderBodies
{
    /// <summary>For <c>filter</c> and <c>prioritize</c>.</summary>
    public static byte[] Nodes(V1Pod pod, IReadOnlyCollection<V1Node> nodes, bool namesOnly) => Write(json =>
    {
        WritePod(json, "Pod", pod);
        if (namesOnly)
        {
            json.WriteNull("Nodes");
            json.WriteStartArray("NodeNames");
            foreach (var node in nodes)
                json.WriteStringValue(node.Metadata.Name);
            json.WriteEndArray();
            return;
        }
        json.WriteStartObject("Nodes");
        json.WriteStartObject("metadata");
        json.WriteEndObject();
        json.WriteStartArray("items");
        foreach (var node in nodes)
            json.WriteRawValue(KubernetesJson.Serialize(new V1Node { Metadata = node.Metadata, Spec = node.Spec ?? new(), Status = node.Status ?? new() }), skipInputValidation: true);
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteNull("NodeNames");
    });

    public static byte[] Bind(V1Pod pod, string node) => Write(json =>
    {
        json.WriteString("PodName", pod.Metadata.Name);
        json.WriteString("PodNamespace", pod.Metadata.NamespaceProperty);
        json.WriteString("PodUID", pod.Metadata.Uid);
        json.WriteString("Node", node);
    });

    /// <summary>For <c>preempt</c>: whom the scheduler would remove from each node, as whole pods or by uid only.</summary>
    public static byte[] Victims(V1Pod pod, IReadOnlyDictionary<string, IReadOnlyList<PodRecord>> victims, IReadOnlyDictionary<string, V1Pod>? whole) => Write(json =>
    {
        WritePod(json, "Pod", pod);
        if (whole is not null)
            WriteVictims("NodeNameToVictims", victim => WritePod(json, name: null, whole[victim.Uid]));
        else
            json.WriteNull("NodeNameToVictims");
        if (whole is null)
            WriteVictims("NodeNameToMetaVictims", WriteUid);
        else
            json.WriteNull("NodeNameToMetaVictims");

        void WriteUid(PodRecord victim)
        {
            json.WriteStartObject();
            json.WriteString("UID", victim.Uid);
            json.WriteEndObject();
        }

        void WriteVictims(string member, Action<PodRecord> write)
        {
            json.WriteStartObject(member);
            foreach (var (node, pods) in victims)
            {
                json.WriteStartObject(node);
                json.WriteStartArray("Pods");
                foreach (var victim in pods)
                    write(victim);
                json.WriteEndArray();
                json.WriteNumber("NumPDBViolations", 0);
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
    });

    // kube-scheduler's cache keeps neither the type words nor managedFields of pods, so the extender never sees them.
    private static void WritePod(Utf8JsonWriter json, string? name, V1Pod pod)
    {
        if (name is not null)
            json.WritePropertyName(name);
        json.WriteRawValue(KubernetesJson.Serialize(new V1Pod { Metadata = WithoutManagedFields(pod.Metadata), Spec = pod.Spec, Status = pod.Status }), skipInputValidation: true);
    }

    private static V1ObjectMeta WithoutManagedFields(V1ObjectMeta metadata) => metadata.ManagedFields is null
        ? metadata
        : new()
        {
            Annotations = metadata.Annotations,
            CreationTimestamp = metadata.CreationTimestamp,
            DeletionGracePeriodSeconds = metadata.DeletionGracePeriodSeconds,
            DeletionTimestamp = metadata.DeletionTimestamp,
            Finalizers = metadata.Finalizers,
            GenerateName = metadata.GenerateName,
            Generation = metadata.Generation,
            Labels = metadata.Labels,
            Name = metadata.Name,
            NamespaceProperty = metadata.NamespaceProperty,
            OwnerReferences = metadata.OwnerReferences,
            ResourceVersion = metadata.ResourceVersion,
            SelfLink = metadata.SelfLink,
            Uid = metadata.Uid,
        };

    private static byte[] Write(Action<Utf8JsonWriter> members)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }
        return buffer.ToArray();
    }
}
