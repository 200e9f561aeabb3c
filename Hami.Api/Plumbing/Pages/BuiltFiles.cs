using Microsoft.Net.Http.Headers;

namespace Hami.Api.Plumbing.Pages;

/// <summary>Files that npm packages were built into, in one folder; nothing but these is served.</summary>
internal sealed class BuiltFiles(string folder)
{
    private static readonly Dictionary<string, string> ContentTypes = new(StringComparer.Ordinal)
    {
        [".html"] = "text/html; charset=utf-8",
        [".js"] = "text/javascript; charset=utf-8",
        [".css"] = "text/css; charset=utf-8",
        [".svg"] = "image/svg+xml",
    };

    /// <summary>The page that the others belong to; null where they were not built.</summary>
    public string? Page { get; } = File.Exists(Path.Combine(folder, "index.html")) ? File.ReadAllText(Path.Combine(folder, "index.html")) : null;

    /// <summary>A file, as small as the browser takes it.</summary>
    /// <param name="name">Without a folder; what has one is taken for its last part, so that no name leads elsewhere.</param>
    /// <param name="below">The folder within this one.</param>
    /// <param name="caching">Value of the header Cache-Control.</param>
    public IResult Serve(HttpContext http, string name, string caching, string below = "")
    {
        var path = Path.Combine(folder, below, Path.GetFileName(name));
        if (!ContentTypes.TryGetValue(Path.GetExtension(path), out var type) || !File.Exists(path))
            return Results.NotFound();
        http.Response.Headers.CacheControl = caching;
        http.Response.Headers.XContentTypeOptions = "nosniff";
        http.Response.Headers.Vary = HeaderNames.AcceptEncoding;
        foreach (var (encoding, ending) in new[] { ("br", ".br"), ("gzip", ".gz") })
        {
            if (!Takes(http.Request, encoding) || !File.Exists(path + ending))
                continue;
            http.Response.Headers.ContentEncoding = encoding;
            path += ending;
            break;
        }
        return Results.File(path, type);
    }

    private static bool Takes(HttpRequest request, string encoding) =>
        request.GetTypedHeaders().AcceptEncoding.Any(e => e.Value.Equals(encoding, StringComparison.OrdinalIgnoreCase) && e.Quality is not 0);
}
