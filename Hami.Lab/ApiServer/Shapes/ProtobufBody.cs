using System.Text.Json.Nodes;
using Google.Protobuf;

namespace Hami.Lab.ApiServer;

/// <summary>Bodies that <c>kubectl create namespace|configmap|secret|serviceaccount|quota</c> sends, which are protobuf whatever the server prefers.</summary>
/// <remarks>Field numbers from k8s.io/api/core/v1/generated.proto. Every other kind is refused: its client would have to be told to speak JSON.</remarks>
internal static class ProtobufBody
{
    public const string Type = "application/vnd.kubernetes.protobuf";

    // An envelope (runtime.Unknown) follows these four bytes.
    private static ReadOnlySpan<byte> Magic => "k8s\0"u8;

    private static readonly Message Metadata = new()
    {
        [1] = new("name"), [2] = new("generateName"), [3] = new("namespace"), [11] = new("labels", Map: true), [12] = new("annotations", Map: true),
    };

    private static readonly Message Quantity = new() { [1] = new("") };

    private static readonly Dictionary<string, Message> Kinds = new(StringComparer.Ordinal)
    {
        ["Namespace"] = new() { [1] = new("metadata", Metadata) },
        ["ServiceAccount"] = new() { [1] = new("metadata", Metadata) },
        ["ConfigMap"] = new() { [1] = new("metadata", Metadata), [2] = new("data", Map: true), [3] = new("binaryData", Map: true, Bytes: true) },
        ["Secret"] = new() { [1] = new("metadata", Metadata), [2] = new("data", Map: true, Bytes: true), [3] = new("type"), [4] = new("stringData", Map: true) },
        ["ResourceQuota"] = new() { [1] = new("metadata", Metadata), [2] = new("spec", new Message { [1] = new("hard", Quantity, Map: true) }) },
    };

    /// <summary>The object as JSON; null when its kind is not one of the few.</summary>
    public static JsonObject? Decode(ReadOnlyMemory<byte> body)
    {
        if (!body.Span.StartsWith(Magic))
            throw KubernetesError.BadRequest("the protobuf body does not begin with its prefix");
        try
        {
            var (kind, raw) = ("", ByteString.Empty);
            var envelope = new CodedInputStream(body[Magic.Length..].ToArray());
            while (envelope.ReadTag() is > 0 and var tag)
            {
                if (WireFormat.GetTagFieldNumber(tag) == 1)
                    kind = Read(envelope.ReadBytes(), new Message { [2] = new("kind") }).TextAt("kind") ?? "";
                else if (WireFormat.GetTagFieldNumber(tag) == 2)
                    raw = envelope.ReadBytes();
                else
                    envelope.SkipLastField();
            }
            if (!Kinds.TryGetValue(kind, out var message))
                return null;
            var decoded = Read(raw, message);
            decoded["kind"] = kind;
            return decoded;
        }
        catch (InvalidProtocolBufferException e)
        {
            throw KubernetesError.BadRequest($"the protobuf body cannot be decoded: {e.Message}");
        }
    }

    private static JsonObject Read(ByteString bytes, Message message)
    {
        var result = new JsonObject();
        var input = bytes.CreateCodedInput();
        while (input.ReadTag() is > 0 and var tag)
        {
            if (!message.TryGetValue(WireFormat.GetTagFieldNumber(tag), out var field))
                input.SkipLastField();
            else if (field.Map)
                ReadEntry(input.ReadBytes(), field, result.Child(field.Name));
            else if (field.Inner is { } inner)
                result[field.Name] = Read(input.ReadBytes(), inner);
            // Go writes empty strings for fields that nobody set.
            else if (input.ReadString() is { Length: > 0 } text)
                result[field.Name] = text;
        }
        return result;
    }

    private static void ReadEntry(ByteString bytes, Field field, JsonObject map)
    {
        var (key, value) = ("", ByteString.Empty);
        var input = bytes.CreateCodedInput();
        while (input.ReadTag() is > 0 and var tag)
        {
            if (WireFormat.GetTagFieldNumber(tag) == 1)
                key = input.ReadString();
            else
                value = input.ReadBytes();
        }
        map[key] = field.Inner is { } inner ? Read(value, inner).TextAt("") : field.Bytes ? value.ToBase64() : value.ToStringUtf8();
    }

    private sealed class Message : Dictionary<int, Field>;

    private sealed record Field(string Name, Message? Inner = null, bool Map = false, bool Bytes = false);
}
