using System.Globalization;
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

    private static readonly byte[] Comma = Utf8(",");

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
        var data = Pieces(grants, registered, numaNode);
        // A Document, written without being put together first.
        ReadOnlyMemory<byte>[] text = [Utf8("{\"Data\":"), .. data, Utf8($",\"Checksum\":{Fnv1a(data)}}}")];
        var unfinished = Path.Combine(Path.GetDirectoryName(file)!, $".{Path.GetFileName(file)}.new");
        using (var handle = File.OpenHandle(unfinished, FileMode.Create, FileAccess.Write))
            RandomAccess.Write(handle, text, fileOffset: 0);
        File.Move(unfinished, file, overwrite: true);
    }

    /// <summary>What an earlier run had given and which resources it knew; empty when there is no file. Throws when the file is damaged.</summary>
    public static (IReadOnlyList<DeviceGrant> Grants, IReadOnlyList<string> Resources) Read(string file)
    {
        if (!File.Exists(file))
            return ([], []);
        var document = JsonSerializer.Deserialize<Document>(File.ReadAllText(file)) ?? throw new JsonException("The checkpoint is empty.");
        if (document.Checksum != Fnv1a([JsonSerializer.SerializeToUtf8Bytes(document.Data)]))
            throw new JsonException($"The checkpoint {file} is damaged: its checksum differs.");
        var grants = (document.Data.PodDeviceEntries ?? []).Select(e => new DeviceGrant(
            e.PodUid,
            e.ContainerName,
            e.ResourceName,
            [.. e.DeviceIds.Values.SelectMany(ids => ids)],
            ContainerAllocateResponse.Parser.ParseFrom(e.AllocResp))).ToList();
        return (grants, [.. document.Data.RegisteredDevices?.Keys ?? []]);
    }

    private static List<ReadOnlyMemory<byte>> Pieces(
        IEnumerable<DeviceGrant> grants, IReadOnlyDictionary<string, IReadOnlyList<string>> registered, Func<string, string, long?> numaNode)
    {
        List<ReadOnlyMemory<byte>> pieces = [Utf8("{\"PodDeviceEntries\":[")];
        foreach (var grant in grants)
        {
            if (pieces.Count > 1)
                pieces.Add(Comma);
            pieces.Add(EntryOf(grant, numaNode));
        }
        pieces.Add(Utf8("],\"RegisteredDevices\":"));
        pieces.Add(JsonSerializer.SerializeToUtf8Bytes(registered));
        pieces.Add(Utf8("}"));
        return pieces;
    }

    // The file of a full node is long, and all but one of its entries were in the one before.
    private static byte[] EntryOf(DeviceGrant grant, Func<string, string, long?> numaNode)
    {
        if (grant.Written is { } written && written.NumaNodes.Index().All(n => n.Item == numaNode(grant.Resource, grant.DeviceIds[n.Index])))
            return written.Text;
        long?[] nodes = [.. grant.DeviceIds.Select(id => numaNode(grant.Resource, id))];
        var entry = new Entry(
            grant.PodUid,
            grant.Container,
            grant.Resource,
            grant.DeviceIds.Zip(nodes)
                .GroupBy(d => d.Second?.ToString(CultureInfo.InvariantCulture) ?? NoNumaNode, d => d.First, StringComparer.Ordinal)
                .ToDictionary(n => n.Key, IReadOnlyList<string> (n) => [.. n], StringComparer.Ordinal),
            grant.Answer.ToByteArray());
        grant.Written = new(nodes, JsonSerializer.SerializeToUtf8Bytes(entry));
        return grant.Written.Text;
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    private static ulong Fnv1a(IEnumerable<ReadOnlyMemory<byte>> pieces)
    {
        var hash = 14695981039346656037UL;
        foreach (var piece in pieces)
        {
            foreach (var b in piece.Span)
                hash = (hash ^ b) * 1099511628211UL;
        }
        return hash;
    }
}
