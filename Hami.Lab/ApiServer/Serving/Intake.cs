using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>From a client's bytes to a body in stored form: decoded, without kind and apiVersion, unknown fields dealt with as asked.</summary>
internal static class Intake
{
    public static JsonNode? Parse(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            return Json.Parse(bytes.Span);
        }
        catch (JsonException e)
        {
            throw KubernetesError.BadRequest($"the object provided is unrecognized (must be of type Object): couldn't get version/kind; json parse error: {e.Message}");
        }
    }

    public static JsonObject Object(ReadOnlyMemory<byte> bytes) =>
        Parse(bytes) as JsonObject ?? throw KubernetesError.BadRequest("the object provided is unrecognized (must be of type Object)");

    public static JsonObject Decode(JsonObject body, Resource version, WriteOptions options)
    {
        if (body.TextAt("kind") is { Length: > 0 } kind && kind != version.Kind)
            throw KubernetesError.BadRequest($"{kind} in version \"{version.Version}\" cannot be handled as a {version.Kind}: no kind \"{kind}\" is registered for this path");
        if (body.TextAt("apiVersion") is { Length: > 0 } api && api != version.ApiVersion)
        {
            throw KubernetesError.BadRequest(
                $"the API version in the data ({api}) does not match the expected API version ({version.ApiVersion})");
        }
        body.Remove("kind");
        body.Remove("apiVersion");
        var unknown = Decoder.Decode(body, version);
        if (unknown.Count > 0 && options.FieldValidation is "Strict")
            throw KubernetesError.Undecodable(version, $"strict decoding error: {string.Join(", ", unknown.Select(u => $"unknown field \"{u}\""))}");
        // Warn is what a server does when it is not told otherwise.
        if (options.FieldValidation is "" or "Warn")
            options.Warnings.AddRange(unknown.Select(u => $"unknown field \"{u}\""));
        var stored = EventVersions.ToStorage(body, version);
        stored.Child("metadata").Remove("managedFields");
        stored.Child("metadata").Remove("selfLink");
        return stored;
    }
}
