using System.Text.Json.Nodes;
using Google.Protobuf;

namespace Hami.Lab.ApiServer;

/// <summary>Bodies that kubectl's own commands send (<c>create</c> with flags, <c>auth</c>, <c>drain</c>), which are protobuf whatever the server prefers.</summary>
/// <remarks>Kinds that are not in <see cref="ProtobufSchema"/> are refused: their client would have to be told to speak JSON.</remarks>
internal static class ProtobufBody
{
    public const string Type = "application/vnd.kubernetes.protobuf";

    // An envelope (runtime.Unknown) follows these four bytes.
    private static ReadOnlySpan<byte> Magic => "k8s\0"u8;

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
                    kind = KindOf(envelope.ReadBytes());
                else if (WireFormat.GetTagFieldNumber(tag) == 2)
                    raw = envelope.ReadBytes();
                else
                    envelope.SkipLastField();
            }
            if (ProtobufSchema.Find(kind) is null)
                return null;
            var decoded = Read(raw, kind);
            decoded["kind"] = kind;
            return decoded;
        }
        catch (InvalidProtocolBufferException e)
        {
            throw KubernetesError.BadRequest($"the protobuf body cannot be decoded: {e.Message}");
        }
    }

    // runtime.TypeMeta: apiVersion is field 1, kind is field 2.
    private static string KindOf(ByteString bytes)
    {
        var (kind, input) = ("", bytes.CreateCodedInput());
        while (input.ReadTag() is > 0 and var tag)
        {
            if (WireFormat.GetTagFieldNumber(tag) == 2)
                kind = input.ReadString();
            else
                input.SkipLastField();
        }
        return kind;
    }

    private static JsonObject Read(ByteString bytes, string message)
    {
        var fields = ProtobufSchema.Find(message)!;
        var result = new JsonObject();
        var input = bytes.CreateCodedInput();
        while (input.ReadTag() is > 0 and var tag)
        {
            if (!fields.TryGetValue(WireFormat.GetTagFieldNumber(tag), out var field))
                input.SkipLastField();
            else if (field.Map)
                ReadEntry(input.ReadBytes(), field, result.Child(field.Name));
            else if (field.Repeated)
                result.ChildList(field.Name).Add(Value(input, field));
            else if (Value(input, field) is { } value && (field.KeepsZero || !IsZero(value)))
                result[field.Name] = value;
        }
        return result;
    }

    private static JsonNode? Value(CodedInputStream input, ProtobufField field) => field.Type switch
    {
        "string" => input.ReadString(),
        "bytes" => input.ReadBytes().ToBase64(),
        "int" => input.ReadInt64(),
        "bool" => input.ReadBool(),
        "Quantity" => Read(input.ReadBytes(), "Quantity").TextAt("string") ?? "0",
        _ => Read(input.ReadBytes(), field.Type),
    };

    // Go writes plain fields that nobody set.
    private static bool IsZero(JsonNode value) => value is JsonValue plain && plain.ToJsonString() is "0" or "false" or "\"\"";

    private static void ReadEntry(ByteString bytes, ProtobufField field, JsonObject map)
    {
        var (key, input) = ("", bytes.CreateCodedInput());
        JsonNode? value = null;
        while (input.ReadTag() is > 0 and var tag)
        {
            if (WireFormat.GetTagFieldNumber(tag) == 1)
                key = input.ReadString();
            else
                value = Value(input, field);
        }
        map[key] = value ?? "";
    }
}
