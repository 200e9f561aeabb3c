using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Google.Protobuf;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.Lab.Kubelet;

/// <summary>The kubelet's <c>kubelet_internal_checkpoint</c>, in the kubelet's own JSON shape.</summary>
internal static class Checkpoint
{
    /// <summary>Devices without a NUMA node stand under this key (kubelet: <c>nodeWithoutTopology</c>).</summary>
    private const string NoNumaNode = "-1";

    public sealed record Document(Content Data, ulong Checksum);

    public sealed record Content(IReadOnlyList<Entry>? PodDeviceEntries, IReadOnlyDictionary<string, IReadOnlyList<string>>? RegisteredDevices);

    public sealed record Entry(
        [property: JsonPropertyName("PodUID")] string PodUid,
        string ContainerName,
        string ResourceName,
        [property: JsonPropertyName("DeviceIDs")] IReadOnlyDictionary<string, IReadOnlyList<string>> DeviceIds,
        byte[] AllocResp);

    /// <summary>Writes the file whole or not at all; <paramref name="numaNode"/> names a device's NUMA node, null when it has none.</summary>
    public static void Write(
        string file,
        IEnumerable<DeviceGrant> grants,
        IReadOnlyDictionary<string, IReadOnlyList<string>> registered,
        Func<string, string, long?> numaNode)
    {
        var entries = grants.Select(g => new Entry(
            g.PodUid,
            g.Container,
            g.Resource,
            g.DeviceIds
                .GroupBy(id => numaNode(g.Resource, id)?.ToString() ?? NoNumaNode, StringComparer.Ordinal)
                .ToDictionary(n => n.Key, IReadOnlyList<string> (n) => [.. n], StringComparer.Ordinal),
            g.AnswerBytes)).ToList();
        var data = JsonSerializer.SerializeToUtf8Bytes(new Content(entries, registered));
        var unfinished = Path.Combine(Path.GetDirectoryName(file)!, $".{Path.GetFileName(file)}.new");
        // A Document, of which the larger part is text already.
        using (var text = File.Create(unfinished))
        {
            text.Write("{\"Data\":"u8);
            text.Write(data);
            text.Write(Encoding.UTF8.GetBytes($",\"Checksum\":{Fnv1a(data)}}}"));
        }
        File.Move(unfinished, file, overwrite: true);
    }

    /// <summary>What an earlier run had given and which resources it knew; empty when there is no file. Throws when the file is damaged.</summary>
    public static (IReadOnlyList<DeviceGrant> Grants, IReadOnlyList<string> Resources) Read(string file)
    {
        if (!File.Exists(file))
            return ([], []);
        var document = JsonSerializer.Deserialize<Document>(File.ReadAllText(file)) ?? throw new JsonException("The checkpoint is empty.");
        if (document.Checksum != Fnv1a(JsonSerializer.SerializeToUtf8Bytes(document.Data)))
            throw new JsonException($"The checkpoint {file} is damaged: its checksum differs.");
        var grants = (document.Data.PodDeviceEntries ?? []).Select(e => new DeviceGrant(
            e.PodUid,
            e.ContainerName,
            e.ResourceName,
            [.. e.DeviceIds.Values.SelectMany(ids => ids)],
            ContainerAllocateResponse.Parser.ParseFrom(e.AllocResp))).ToList();
        return (grants, [.. document.Data.RegisteredDevices?.Keys ?? []]);
    }

    private static ulong Fnv1a(ReadOnlySpan<byte> bytes)
    {
        var hash = 14695981039346656037UL;
        foreach (var b in bytes)
            hash = (hash ^ b) * 1099511628211UL;
        return hash;
    }
}
