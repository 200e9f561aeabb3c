using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using YamlDotNet.Core;

namespace Hami.Lab.ApiServer;

/// <summary>From a client's bytes to a body in stored form: decoded, without kind and apiVersion, unknown fields dealt with as asked.</summary>
internal static class Intake
{
    // The scheme's place in Kubernetes' source is part of its words.
    private const string Scheme = "pkg/api/legacyscheme/scheme.go:30";

    /// <summary>The object of a request's body, whatever of the accepted types it is written in.</summary>
    public static JsonObject Read(string? contentType, ReadOnlyMemory<byte> body, string kind, WriteOptions options) => (contentType?.Split(';')[0].Trim() ?? "") switch
    {
        "" or Answers.JsonType => Object(body, kind, options),
        Accept.YamlType => FromYaml(body, kind),
        ProtobufBody.Type when ProtobufBody.Decode(body) is { } decoded => decoded,
        _ => throw KubernetesError.UnsupportedMediaType("application/json, application/yaml, application/vnd.kubernetes.protobuf"),
    };

    public static JsonObject Object(ReadOnlyMemory<byte> body, string kind = "Object", WriteOptions? options = null)
    {
        var duplicates = new List<string>();
        try
        {
            if (Json.Parse(body.Span, duplicates) is not JsonObject read)
                throw new JsonException("json: cannot unmarshal a value that is no object into a Go struct");
            options?.Duplicates.AddRange(duplicates);
            return read;
        }
        catch (JsonException e)
        {
            throw Unrecognized(kind, $"couldn't get version/kind; json parse error: {GoWords(e, body.Span)}", body);
        }
    }

    /// <summary>What is wrong with a JSON text, as Go's decoder says it.</summary>
    public static string GoWords(JsonException e, ReadOnlySpan<byte> text)
    {
        var at = (int)(e.BytePositionInLine ?? 0);
        for (var line = e.LineNumber ?? 0; line > 0 && text.IndexOf((byte)'\n') is >= 0 and var end; line--)
            text = text[(end + 1)..];
        if (e.BytePositionInLine is null)
            return e.Message;
        if (at >= text.Length)
            return "unexpected end of JSON input";
        var expected = e.Message.Contains("property", StringComparison.OrdinalIgnoreCase) ? "object key string" : "value";
        return $"invalid character '{(char)text[at]}' looking for beginning of {expected}";
    }

    public static JsonObject Decode(JsonObject body, Resource version, WriteOptions options, Func<string>? patched = null)
    {
        CheckKind(body, version);
        // Said before the decoder changes it.
        var shown = options.FieldValidation is "Strict" ? patched?.Invoke() : null;
        body.Remove("kind");
        body.Remove("apiVersion");
        if (Decoder.TryDecode(body, version, out var why) is not { } unknown)
            throw Refused(version, patched is null ? null : shown ?? patched(), why);
        var wrong = options.Duplicates.Select(d => $"duplicate field \"{d}\"").Concat(unknown.Select(u => $"unknown field \"{u}\"")).ToArray();
        if (wrong.Length > 0 && options.FieldValidation is "Strict")
            throw Refused(version, shown, $"strict decoding error: {string.Join(", ", wrong)}");
        // Warn is what a server does when it is not told otherwise.
        if (options.FieldValidation is "" or "Warn")
            options.Warnings.AddRange(wrong);
        var stored = EventVersions.ToStorage(body, version);
        stored.Child("metadata").Remove("managedFields");
        stored.Child("metadata").Remove("selfLink");
        return stored;
    }

    // Of a patch the server blames the patch, not the object.
    private static KubernetesError Refused(Resource version, string? patched, string why) => patched is null
        ? KubernetesError.Undecodable(version, why)
        : KubernetesError.Invalid("", "", "", Cause.Invalid("patch", patched, why));

    private static void CheckKind(JsonObject body, Resource version)
    {
        var kind = body.TextAt("kind") is { Length: > 0 } said ? said : version.Kind;
        var api = body.TextAt("apiVersion") is { Length: > 0 } named ? named : version.ApiVersion;
        if (kind == version.Kind && api == version.ApiVersion)
            return;
        if (!Array.Exists(Resources.Served, r => r.Kind == kind && r.ApiVersion == api))
            throw Unfit($"no kind \"{kind}\" is registered for version \"{api}\" in scheme \"{Scheme}\"");
        if (kind != version.Kind)
            throw Unfit($"converting (v1.{kind}) to ({Package(version.Group)}.{version.Kind}): unknown conversion");
        throw KubernetesError.BadRequest($"the API version in the data ({api}) does not match the expected API version ({version.ApiVersion})");

        KubernetesError Unfit(string why) =>
            KubernetesError.BadRequest($"{kind} in version \"{api[(api.IndexOf('/', StringComparison.Ordinal) + 1)..]}\" cannot be handled as a {version.Kind}: {why}");
    }

    // The internal package of a group: its first word.
    private static string Package(string group) => group.Length == 0 ? "core" : group.Split('.')[0];

    private static JsonObject FromYaml(ReadOnlyMemory<byte> body, string kind)
    {
        try
        {
            return Yaml.Read(Encoding.UTF8.GetString(body.Span)).FirstOrDefault() as JsonObject ?? throw new FormatException("it is no object");
        }
        catch (Exception e) when (e is YamlException or FormatException)
        {
            throw Unrecognized(kind, $"error converting YAML to JSON: yaml: {e.Message}", body);
        }
    }

    // rest.go, transformDecodeError: the beginning of what came, as text when it looks like JSON.
    private static KubernetesError Unrecognized(string kind, string why, ReadOnlyMemory<byte> body)
    {
        const int shown = 30;
        var begin = body.Span[..Math.Min(body.Length, shown)];
        var summary = begin.Length == 0 ? "<empty>" : begin[0] == '{' ? Encoding.UTF8.GetString(begin) : Convert.ToHexStringLower(begin);
        return KubernetesError.BadRequest($"the object provided is unrecognized (must be of type {kind}): {why} ({summary}{(body.Length > shown ? " ..." : "")})");
    }
}
