using Hami.Api.Plumbing.Kubernetes;
using k8s;
using k8s.Models;

namespace Hami.Lab.Cluster;

/// <summary>
/// Decodes a line of a watch of pods. The lab's scheduler, controllers and kubelets follow the same pods in one process, and decoding them is
/// what that costs: of the last versions of pods one decoded object each is kept, which all get and nobody may change.
/// </summary>
internal static class PodsReadOnce
{
    private const int Kept = 1024;

    // A pod's name and revision are in the beginning of its text; equal hashes cost one more decoding and no more.
    private const int Hashed = 512;

    private static readonly Version?[] Versions = new Version?[Kept];

    private sealed record Version(byte[] Text, V1Pod Pod);

    /// <inheritdoc cref="WatchStream.Read{T}"/>
    public static (WatchEventType Type, V1Pod Object) Read(ReadOnlySpan<byte> line)
    {
        var at = line.IndexOf(",\"object\":"u8);
        if (Type(line, at) is not { } type)
            return WatchStream.Read<V1Pod>(line);
        var text = line[at..];
        var hash = new HashCode();
        hash.AddBytes(text[..Math.Min(text.Length, Hashed)]);
        ref var version = ref Versions[(uint)hash.ToHashCode() % Kept];
        if (Volatile.Read(ref version) is { } known && text.SequenceEqual(known.Text))
            return (type, known.Pod);
        var pod = WatchStream.Read<V1Pod>(line).Object;
        Volatile.Write(ref version, new(text.ToArray(), pod));
        return (type, pod);
    }

    private static WatchEventType? Type(ReadOnlySpan<byte> line, int end) => end < 0 ? null : line[..end] switch
    {
        var it when it.SequenceEqual("{\"type\":\"ADDED\""u8) => WatchEventType.Added,
        var it when it.SequenceEqual("{\"type\":\"MODIFIED\""u8) => WatchEventType.Modified,
        var it when it.SequenceEqual("{\"type\":\"DELETED\""u8) => WatchEventType.Deleted,
        _ => null,
    };
}
