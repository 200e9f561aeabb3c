using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;

namespace Hami.Api.Plumbing.Pages;

/// <summary>The web UI: one page for every address that a browser opens, and the files that it was built into.</summary>
/// <param name="signIn">Where people sign in, and with whom: an address and a host, written into the page; empty where they bring a token.</param>
internal sealed class WebUIEndpoint(string folder, string signIn = "")
{
    private const string Nonce = "__NONCE__";
    private const string SignIn = "__SIGN_IN__";

    private readonly BuiltFiles _files = new(folder);
    private readonly string _signIn = WebUtility.HtmlEncode(signIn);

    /// <summary>Where the build puts the files.</summary>
    public static readonly string Built = Path.Combine(AppContext.BaseDirectory, "webui");

    /// <summary>A file whose name holds a hash of what is in it: it never changes.</summary>
    public IResult Asset(HttpContext http, string file) => _files.Serve(http, file, "public, max-age=31536000, immutable", below: "assets");

    /// <summary>A file of that name, as it is now.</summary>
    public IResult Plain(HttpContext http, string file) => _files.Serve(http, file, "no-cache");

    /// <summary>The page itself, whatever the address: the address is read in the browser.</summary>
    public IResult Page(HttpContext http)
    {
        // Who asks for something else than a page asked for an address that is not there.
        if (!HttpMethods.IsGet(http.Request.Method) || !http.Request.GetTypedHeaders().Accept.Any(a => a.MediaType.Equals("text/html", StringComparison.OrdinalIgnoreCase)))
            return Results.NotFound();
        if (_files.Page is not { } page)
            return Results.Text("The web UI is not built in: run `./hami build` where npm is installed. Questions go to POST /graphql.", statusCode: StatusCodes.Status404NotFound);
        var nonce = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(18));
        var headers = http.Response.Headers;
        // Files of this host alone; styles that the component library writes at run time carry the nonce.
        headers.ContentSecurityPolicy =
            $"default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
            + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        headers.CacheControl = "no-store";
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()";
        return Results.Text(page.Replace(Nonce, nonce, StringComparison.Ordinal).Replace(SignIn, _signIn, StringComparison.Ordinal), "text/html; charset=utf-8");
    }
}

/// <summary>Where the web UI is.</summary>
internal static class WebUIRoutes
{
    /// <summary>Answers at every address that nothing else answers at.</summary>
    /// <param name="signIn">What the page is told of signing in.</param>
    public static void MapWebUI(this IEndpointRouteBuilder routes, string signIn)
    {
        var pages = new WebUIEndpoint(WebUIEndpoint.Built, signIn);
        routes.MapGet("/assets/{file}", pages.Asset);
        routes.MapGet("/favicon.svg", (HttpContext http) => pages.Plain(http, "favicon.svg"));
        routes.MapGet("/scheme.js", (HttpContext http) => pages.Plain(http, "scheme.js"));
        // Of every method: what is no page is not there, rather than there for another method.
        routes.Map("/{**page}", pages.Page);
    }
}
