using System.Text.Json;
using Hami.Api.Plumbing.Kubernetes;
using k8s;
using k8s.Models;

namespace Hami.Lab.Cluster;

/// <summary>
/// Decodes a line of a watch of pods. The lab's scheduler, controllers and kubelets follow the same pods in one process, and decoding them is
/// what that costs: of the last versions of pods one decoded object each is kept, which all get and nobody may change. Nor is a spec decoded
/// again that stayed as it was, as in most versions of a pod.
/// </summary>
internal static class PodsReadOnce
{
    // More would live to be old, which costs the collector more than the few that come late.
    private const int Kept = 384;

    // A pod's name and revision are in the beginning of its text; equal hashes cost one more decoding and no more.
    private const int Hashed = 512;

    private static readonly Known<V1Pod>?[] Versions = new Known<V1Pod>?[Kept];
    private static readonly Known<V1PodSpec>?[] Specs = new Known<V1PodSpec>?[Kept];

    private delegate T Decode<out T>(ReadOnlySpan<byte> text);

    /// <inheritdoc cref="WatchStream.Read{T}(ReadOnlySpan{byte})"/>
    public static (WatchEventType Type, V1Pod Object) Read(ReadOnlySpan<byte> line)
    {
        var at = line.IndexOf(",\"object\":"u8);
        return Type(line, at) is { } type
            ? (type, Of(Versions, line[(at + ",\"object\":".Length)..^1], Hashed, Pod))
            : WatchStream.Read<V1Pod>(line);
    }

    private static T Of<T>(Known<T>?[] kept, ReadOnlySpan<byte> text, int hashed, Decode<T> decode) where T : class
    {
        var hash = new HashCode();
        hash.AddBytes(text[..Math.Min(text.Length, hashed)]);
        ref var place = ref kept[(uint)hash.ToHashCode() % kept.Length];
        if (Volatile.Read(ref place) is { } known && text.SequenceEqual(known.Text))
            return known.Object;
        var decoded = decode(text);
        Volatile.Write(ref place, new(text.ToArray(), decoded));
        return decoded;
    }

    private static V1Pod Pod(ReadOnlySpan<byte> text)
    {
        var pod = new V1Pod { ApiVersion = V1Pod.KubeApiVersion, Kind = V1Pod.KubeKind };
        var reader = new Utf8JsonReader(text);
        reader.Read();
        while (reader.Read() && reader.TokenType is JsonTokenType.PropertyName)
        {
            var (isMetadata, isSpec, isStatus) = (reader.ValueTextEquals("metadata"u8), reader.ValueTextEquals("spec"u8), reader.ValueTextEquals("status"u8));
            reader.Read();
            var from = (int)reader.TokenStartIndex;
            if (isMetadata)
                pod.Metadata = JsonSerializer.Deserialize<V1ObjectMeta>(ref reader, ClientJson.Options);
            else if (isStatus)
                pod.Status = JsonSerializer.Deserialize<V1PodStatus>(ref reader, ClientJson.Options);
            else
                reader.Skip();
            if (isSpec)
                pod.Spec = Of(Specs, text[from..(int)reader.BytesConsumed], int.MaxValue, Spec);
        }
        return pod;
    }

    private static V1PodSpec Spec(ReadOnlySpan<byte> text) => JsonSerializer.Deserialize<V1PodSpec>(text, ClientJson.Options)!;

    private static WatchEventType? Type(ReadOnlySpan<byte> line, int end) => end < 0 ? null : line[..end] switch
    {
        var it when it.SequenceEqual("{\"type\":\"ADDED\""u8) => WatchEventType.Added,
        var it when it.SequenceEqual("{\"type\":\"MODIFIED\""u8) => WatchEventType.Modified,
        var it when it.SequenceEqual("{\"type\":\"DELETED\""u8) => WatchEventType.Deleted,
        _ => null,
    };

    private sealed record Known<T>(byte[] Text, T Object);
}
