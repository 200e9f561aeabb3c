using System.Runtime.InteropServices;
using System.Text.Json;
using Google.Protobuf;
using Hami.NodeAgent.Plumbing;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.NodeAgent.Allocating;

/// <summary>
/// Reads the kubelet's own record of whom it gave which devices; the kubelet writes it after every container's Allocate and before
/// the container starts (kubelet, <c>devicemanager/checkpoint</c>). Entries of pods that ended may stand there long after.
/// </summary>
internal sealed partial class Checkpoint(AgentOptions options, IHostFiles files, ILogger<Checkpoint> log)
{
    // An Allocate looks several times at the same text, which a full node makes long; and the next one's text has one entry more.
    private volatile Seen? last;

    private sealed record Seen(byte[] Text, IReadOnlyList<KnownEntry> Known, IReadOnlyList<CheckpointEntry> Entries);

    private sealed record KnownEntry(byte[] Text, int Hash, CheckpointEntry Entry);

    /// <summary>Null when it cannot be read.</summary>
    public IReadOnlyList<CheckpointEntry>? Read()
    {
        try
        {
            var seen = last;
            if (files.Read(options.CheckpointFile, seen?.Text) is not { } text)
                return null;
            if (seen is not null && ReferenceEquals(seen.Text, text))
                return seen.Entries;
            var known = Parse(text, options.ResourceName, options.VgpuDir, seen?.Known ?? []);
            last = new(text, known, [.. known.Select(k => k.Entry)]);
            return last.Entries;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            LogUnreadable(options.CheckpointFile, e.Message);
            return null;
        }
    }

    /// <exception cref="FormatException">The text is not the kubelet's checkpoint.</exception>
    public static IReadOnlyList<CheckpointEntry> Parse(string json, string resourceName, string directoryMount) =>
        [.. Parse(System.Text.Encoding.UTF8.GetBytes(json), resourceName, directoryMount, []).Select(k => k.Entry)];

    private static List<KnownEntry> Parse(byte[] json, string resourceName, string directoryMount, IReadOnlyList<KnownEntry> before)
    {
        // By the hash of their text, as the kubelet writes them in any order.
        var known = before.ToLookup(k => k.Hash);
        try
        {
            using var document = JsonDocument.Parse(json);
            if (!document.RootElement.GetProperty("Data").TryGetProperty("PodDeviceEntries", out var entries)
                || entries.ValueKind is JsonValueKind.Null)
                return [];
            return [.. entries.EnumerateArray()
                .Where(e => e.GetProperty("ResourceName").GetString() == resourceName)
                .Select(Entry)];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new FormatException($"This is not the kubelet's checkpoint: {e.Message}", e);
        }

        KnownEntry Entry(JsonElement entry)
        {
            var text = JsonMarshal.GetRawUtf8Value(entry);
            var hash = Hash(text);
            foreach (var same in known[hash])
            {
                if (text.SequenceEqual(same.Text))
                    return same;
            }
            return new(text.ToArray(), hash, new(entry.GetProperty("PodUID").GetString() ?? "", entry.GetProperty("ContainerName").GetString() ?? "", Ids(entry), Kept(entry), directoryMount));
        }
    }

    private static int Hash(ReadOnlySpan<byte> text)
    {
        var hash = new HashCode();
        hash.AddBytes(text);
        return hash.ToHashCode();
    }

    // A map from NUMA node to ids; kubelets before 1.20 wrote one list.
    private static HashSet<string> Ids(JsonElement entry)
    {
        if (!entry.TryGetProperty("DeviceIDs", out var ids))
            return [];
        var lists = ids.ValueKind switch
        {
            JsonValueKind.Object => ids.EnumerateObject().Select(node => node.Value),
            JsonValueKind.Array => [ids],
            _ => [],
        };
        return lists.Where(list => list.ValueKind is JsonValueKind.Array).SelectMany(list => list.EnumerateArray())
            .Select(id => id.GetString() ?? "").ToHashSet(StringComparer.Ordinal);
    }

    // AllocResp is our own answer, marshalled.
    private static ContainerAllocateResponse? Kept(JsonElement entry)
    {
        if (!entry.TryGetProperty("AllocResp", out var kept) || kept.ValueKind is not JsonValueKind.String || !kept.TryGetBytesFromBase64(out var bytes))
            return null;
        try
        {
            return ContainerAllocateResponse.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    [LoggerMessage(LogLevel.Warning, "The kubelet's checkpoint {File} cannot be read: {Reason}")]
    private partial void LogUnreadable(string file, string reason);
}
