using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Features;

namespace Hami.Lab.ApiServer;

/// <summary>Writing answers: JSON bodies, Status objects, warnings.</summary>
internal static class Answers
{
    public const string JsonType = "application/json";

    public static Task Write(HttpContext http, int code, JsonNode body) => Write(http, code, Json.Utf8(body));

    public static async Task Write(HttpContext http, int code, ReadOnlyMemory<byte> body, string type = JsonType)
    {
        http.Response.StatusCode = code;
        http.Response.ContentType = type;
        http.Response.ContentLength = body.Length;
        await http.Response.Body.WriteAsync(body);
    }

    public static Task Write(HttpContext http, KubernetesError error) =>
        http.Response.HasStarted ? Task.CompletedTask : Write(http, error.Code, error.Status);

    public static void Warn(HttpContext http, WriteOptions options)
    {
        foreach (var warning in options.Warnings)
            http.Response.Headers.Append("Warning", $"299 - \"{warning.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"");
    }

    public static JsonObject Success(Resource resource, Stored deleted)
    {
        var details = new JsonObject { ["name"] = deleted.Name };
        if (resource.Group.Length > 0)
            details["group"] = resource.Group;
        details["kind"] = resource.Plural;
        details["uid"] = deleted.Uid;
        return new() { ["kind"] = "Status", ["apiVersion"] = "v1", ["metadata"] = new JsonObject(), ["status"] = "Success", ["details"] = details };
    }

    public static JsonObject Success(int code) =>
        new() { ["kind"] = "Status", ["apiVersion"] = "v1", ["metadata"] = new JsonObject(), ["status"] = "Success", ["code"] = code };

    /// <summary>Sends what is written at once; a watch would otherwise wait for a full buffer.</summary>
    public static void Unbuffer(HttpContext http) => http.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
}
