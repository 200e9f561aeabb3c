using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Base64Url = System.Buffers.Text.Base64Url;

namespace Hami.Tests.Access;

/// <summary>A stand-in for an OpenID provider: its keys, tokens it signs, and the authorization code flow with PKCE for one client.</summary>
internal sealed class OpenIdProvider : IAsyncDisposable
{
    public const string Client = "hami";

    private readonly RSA _key = RSA.Create(2048);
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, IQueryCollection> _codes = new(StringComparer.Ordinal);

    private OpenIdProvider(WebApplication app) => _app = app;

    /// <summary>Its address, with the slash at the end.</summary>
    public Uri Issuer { get; private set; } = null!;

    /// <summary>The one address that it sends people back to; null for any.</summary>
    public string? RedirectUri { get; set; }

    /// <summary>What the client has to show; null for a public client.</summary>
    public string? Secret { get; set; }

    /// <summary>The error with which everybody is sent back.</summary>
    public string? Refusal { get; set; }

    /// <summary>Whether its page asks before it sends back.</summary>
    public bool Asks { get; set; }

    /// <summary>Changes what the tokens of the flow say.</summary>
    public Action<JsonObject> Claims { get; set; } = _ => { };

    /// <summary>What it was asked for last.</summary>
    public IQueryCollection? Asked { get; private set; }

    /// <summary>What it gave out last: secrets that must not stand anywhere.</summary>
    public (string Code, string Token) Gave { get; private set; } = ("", "");

    /// <param name="host">As which this machine is called.</param>
    public static async Task<OpenIdProvider> StartAsync(string host = "127.0.0.1")
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var provider = new OpenIdProvider(builder.Build());
        provider.Map();
        await provider._app.StartAsync();
        provider.Issuer = new($"http://{host}:{new Uri(provider._app.Urls.Single()).Port}/");
        return provider;
    }

    /// <summary>It is away from now on.</summary>
    public Task StopAsync() => _app.StopAsync();

    /// <summary>A token of the user ada, in the group admins, for our client.</summary>
    /// <param name="key">Instead of its own.</param>
    public string Token(Action<JsonObject> change, RSA? key = null)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var claims = new JsonObject { ["iss"] = Issuer.ToString(), ["aud"] = Client, ["sub"] = "ada", ["name"] = "ada", ["iat"] = now, ["nbf"] = now, ["exp"] = now + 600, ["groups"] = new JsonArray("admins") };
        change(claims);
        var text = $"{Encode("""{"alg":"RS256","typ":"JWT","kid":"k1"}""")}.{Encode(claims.ToJsonString())}";
        return $"{text}.{Base64Url.EncodeToString((key ?? _key).SignData(Encoding.ASCII.GetBytes(text), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))}";
    }

    public static string Encode(string json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json));

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _key.Dispose();
    }

    private void Map()
    {
        _app.MapGet("/.well-known/openid-configuration", () => Results.Json(new
        {
            issuer = Issuer.ToString(),
            jwks_uri = new Uri(Issuer, "keys").ToString(),
            authorization_endpoint = new Uri(Issuer, "authorize").ToString(),
            token_endpoint = new Uri(Issuer, "token").ToString(),
        }));
        _app.MapGet("/keys", () => Results.Json(new { keys = new[] { Jwk() } }));
        _app.MapGet("/favicon.ico", () => Results.NoContent());
        _app.MapGet("/authorize", (HttpContext http) => Asks
            ? Results.Text($"""<!doctype html><title>Provider</title><a href="/allowed{System.Net.WebUtility.HtmlEncode(http.Request.QueryString.ToString())}">Let ada in</a>""", "text/html")
            : SendBack(http.Request.Query));
        _app.MapGet("/allowed", (HttpContext http) => SendBack(http.Request.Query));
        _app.MapPost("/token", async Task (HttpContext http) => await GiveToken(await http.Request.ReadFormAsync()).ExecuteAsync(http));
    }

    private IResult SendBack(IQueryCollection asked)
    {
        Asked = asked;
        // To an address that it does not know it sends nobody.
        if (asked["client_id"] != Client || asked["response_type"] != "code" || (RedirectUri is { } known && asked["redirect_uri"] != known))
            return Results.BadRequest("I know no such client.");
        var (back, state) = ($"{asked["redirect_uri"]}", Uri.EscapeDataString($"{asked["state"]}"));
        if (Refusal is { } refusal)
            return Results.Redirect($"{back}?error={refusal}&error_description=A%0Along%20story&state={state}");
        if (asked["code_challenge_method"] != "S256" || !$"{asked["scope"]}".Split(' ').Contains("openid"))
            return Results.Redirect($"{back}?error=invalid_request&state={state}");
        var code = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(24));
        _codes[code] = asked;
        Gave = (code, "");
        return Results.Redirect($"{back}?code={code}&state={state}");
    }

    private IResult GiveToken(IFormCollection form)
    {
        if (Secret is not null && form["client_secret"] != Secret)
            return Results.Json(new { error = "invalid_client" }, statusCode: StatusCodes.Status401Unauthorized);
        // A code is good once, for whom it was given, with what its challenge was made of.
        if (form["grant_type"] != "authorization_code" || !_codes.TryRemove($"{form["code"]}", out var asked) || form["client_id"] != Client
            || form["redirect_uri"] != asked["redirect_uri"]
            || Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes($"{form["code_verifier"]}"))) != asked["code_challenge"])
        {
            return Results.Json(new { error = "invalid_grant" }, statusCode: StatusCodes.Status400BadRequest);
        }
        var token = Token(claims =>
        {
            claims["nonce"] = $"{asked["nonce"]}";
            Claims(claims);
        });
        Gave = (Gave.Code, token);
        return Results.Json(new { access_token = "opaque", token_type = "Bearer", expires_in = 600, id_token = token });
    }

    private Dictionary<string, string> Jwk()
    {
        var key = _key.ExportParameters(includePrivateParameters: false);
        return new(StringComparer.Ordinal)
        {
            ["kty"] = "RSA", ["kid"] = "k1", ["use"] = "sig", ["alg"] = "RS256", ["n"] = Base64Url.EncodeToString(key.Modulus), ["e"] = Base64Url.EncodeToString(key.Exponent),
        };
    }
}
