using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Hami.Api.Access;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Base64Url = System.Buffers.Text.Base64Url;

namespace Hami.Tests.Access;

/// <summary>Tokens of an OpenID provider count when it signed them for us, and show what their groups see.</summary>
public sealed class AskingAnOpenIdProvider : IAsyncLifetime
{
    private readonly RSA _key = RSA.Create(2048);
    private WebApplication _provider = null!;
    private ServiceProvider _services = null!;
    private Uri _issuer = null!;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _provider = builder.Build();
        _provider.MapGet("/.well-known/openid-configuration", () => Results.Json(new { issuer = _issuer.ToString(), jwks_uri = new Uri(_issuer, "keys").ToString() }));
        _provider.MapGet("/keys", () => Results.Json(new { keys = new[] { Jwk() } }));
        await _provider.StartAsync();
        _issuer = new(_provider.Urls.Single() + "/");

        var options = new OidcOptions(_issuer, "hami", "sub", "groups", new Dictionary<string, Scope>(StringComparer.Ordinal)
        {
            ["admins"] = Scope.Everything,
            ["ml"] = new(AllNamespaces: false, Nodes: false, new HashSet<string>(StringComparer.Ordinal) { "team-a" }),
            ["batch"] = new(AllNamespaces: false, Nodes: false, new HashSet<string>(StringComparer.Ordinal) { "team-b" }),
        });
        var services = new ServiceCollection().AddLogging();
        services.AddAccess(new(AuthMode.Oidc, options));
        _services = services.BuildServiceProvider();
    }

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        await _provider.DisposeAsync();
        _key.Dispose();
    }

    [Theory]
    [InlineData("admins", true, "")]
    [InlineData("ml", false, "team-a")]
    [InlineData("ml,batch,unknown", false, "team-a,team-b")]
    [InlineData("unknown", false, "")]
    [InlineData("", false, "")]
    public async Task Groups_see_what_they_are_said_to_see(string groups, bool all, string namespaces)
    {
        var viewer = await AdmitAsync(Token(claims => claims["groups"] = new JsonArray([.. groups.Split(',').Select(g => JsonValue.Create(g))])));

        Assert.Equal(("ada", all, namespaces), (viewer.Name, viewer.Scope.IsCluster, string.Join(',', viewer.Scope.Namespaces.Order(StringComparer.Ordinal))));
    }

    [Theory]
    [InlineData("for somebody else")]
    [InlineData("of somebody else")]
    [InlineData("too old")]
    [InlineData("another key")]
    [InlineData("no signature")]
    [InlineData("changed")]
    [InlineData("none")]
    public async Task Any_other_token_is_refused_with_a_sentence(string what)
    {
        using var otherKey = RSA.Create(2048);
        var token = what switch
        {
            "for somebody else" => Token(c => c["aud"] = "others"),
            "of somebody else" => Token(c => c["iss"] = "http://127.0.0.1:1/"),
            "too old" => Token(c => c["exp"] = 1_000_000_000),
            "another key" => Token(_ => { }, otherKey),
            "no signature" => $"{Encode("""{"alg":"none"}""")}.{Token(_ => { }).Split('.')[1]}.",
            "changed" => string.Join('.', Token(_ => { }).Split('.') is var parts ? [parts[0], Token(c => c["sub"] = "eve").Split('.')[1], parts[2]] : Array.Empty<string>()),
            _ => "",
        };

        var refused = await Assert.ThrowsAsync<AccessRefusedException>(() => AdmitAsync(token));

        Assert.Equal(401, refused.Status);
        Assert.DoesNotContain(token.Length > 0 ? token : "\0", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_provider_that_is_away_is_not_the_fault_of_who_asks()
    {
        var token = Token(_ => { });
        await _provider.StopAsync();

        Assert.Equal(503, (await Assert.ThrowsAsync<AccessRefusedException>(() => AdmitAsync(token))).Status);
    }

    private async Task<Viewer> AdmitAsync(string token)
    {
        var http = new DefaultHttpContext { RequestServices = _services };
        http.Request.Headers.Authorization = $"Bearer {token}";
        return await _services.GetRequiredService<IGate>().AdmitAsync(http);
    }

    private string Token(Action<JsonObject> change, RSA? key = null)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var claims = new JsonObject { ["iss"] = _issuer.ToString(), ["aud"] = "hami", ["sub"] = "ada", ["iat"] = now, ["nbf"] = now, ["exp"] = now + 600, ["groups"] = new JsonArray("admins") };
        change(claims);
        var text = $"{Encode("""{"alg":"RS256","typ":"JWT","kid":"k1"}""")}.{Encode(claims.ToJsonString())}";
        return $"{text}.{Base64Url.EncodeToString((key ?? _key).SignData(Encoding.ASCII.GetBytes(text), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))}";
    }

    private Dictionary<string, string> Jwk()
    {
        var key = _key.ExportParameters(includePrivateParameters: false);
        return new(StringComparer.Ordinal)
        {
            ["kty"] = "RSA", ["kid"] = "k1", ["use"] = "sig", ["alg"] = "RS256", ["n"] = Base64Url.EncodeToString(key.Modulus), ["e"] = Base64Url.EncodeToString(key.Exponent),
        };
    }

    private static string Encode(string json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json));
}
