using System.Buffers;
using System.IO.Compression;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Features;

namespace Hami.Lab.ApiServer;

/// <summary>Writing answers: JSON or YAML bodies, Status objects, warnings; long ones compressed for those who take it.</summary>
internal static class Answers
{
    public const string JsonType = "application/json";

    // apiserver, responsewriters: shorter answers are not worth the processor's time.
    private const int GzipFrom = 128 * 1024;

    public static Task Write(HttpContext http, int code, JsonNode body) => Write(http, code, Json.Utf8(body));

    public static async Task Write(HttpContext http, int code, ReadOnlyMemory<byte> body, string type = JsonType)
    {
        if (type is JsonType && Accept.Try(http) is { Yaml: true })
            (type, body) = (Accept.YamlType, Yaml.Utf8(JsonNode.Parse(body.Span)));
        http.Response.StatusCode = code;
        http.Response.ContentType = type;
        if (!TakesGzip(http, body.Length))
        {
            http.Response.ContentLength = body.Length;
            await http.Response.Body.WriteAsync(body);
            return;
        }
        await using var gzip = Compressed(http);
        await gzip.WriteAsync(body);
    }

    /// <summary>Writes a body of two parts as they lie in memory.</summary>
    public static async Task Write(HttpContext http, int code, ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> rest)
    {
        if (head.Length + rest.Length > GzipFrom || Accept.Try(http) is { Yaml: true })
        {
            await Write(http, code, (byte[])[.. head.Span, .. rest.Span]);
            return;
        }
        http.Response.StatusCode = code;
        http.Response.ContentType = JsonType;
        http.Response.ContentLength = head.Length + rest.Length;
        http.Response.BodyWriter.Write(head.Span);
        http.Response.BodyWriter.Write(rest.Span);
        await http.Response.BodyWriter.FlushAsync();
    }

    /// <summary>Writes a long body piece by piece; nowhere is it whole in memory.</summary>
    public static async Task Write(HttpContext http, int code, long length, IEnumerable<ReadOnlyMemory<byte>> pieces)
    {
        http.Response.StatusCode = code;
        http.Response.ContentType = JsonType;
        await using var to = new BufferedStream(TakesGzip(http, length) ? Compressed(http) : http.Response.Body, GzipFrom);
        foreach (var piece in pieces)
            await to.WriteAsync(piece, http.RequestAborted);
    }

    public static Task Write(HttpContext http, KubernetesError error) =>
        http.Response.HasStarted ? Task.CompletedTask : Write(http, error.Code, error.Status);

    public static void Warn(HttpContext http, WriteOptions options)
    {
        // A header cannot carry a line end; what cannot be said is left unsaid, as by a real server.
        foreach (var warning in options.Warnings.Where(w => !w.Any(char.IsControl)))
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

    private static bool TakesGzip(HttpContext http, long length) =>
        length > GzipFrom && http.Request.Headers.AcceptEncoding.ToString().Split(',').Any(e => e.Split(';')[0].Trim() is "gzip");

    private static GZipStream Compressed(HttpContext http)
    {
        http.Response.Headers.ContentEncoding = "gzip";
        http.Response.Headers.Append("Vary", "Accept-Encoding");
        return new(http.Response.Body, CompressionLevel.Fastest, leaveOpen: true);
    }
}
