using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Hami.Api.Access;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Hami.Tests.Access;

/// <summary>Tokens of an OpenID provider count when it signed them for us, and show what their groups see.</summary>
public sealed class AskingAnOpenIdProvider : IAsyncLifetime
{
    private OpenIdProvider _provider = null!;
    private ServiceProvider _services = null!;

    public async ValueTask InitializeAsync()
    {
        _provider = await OpenIdProvider.StartAsync();
        var options = new OidcOptions(_provider.Issuer, "hami", "sub", "groups", new Dictionary<string, Scope>(StringComparer.Ordinal)
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
    }

    [Theory]
    [InlineData("admins", true, "")]
    [InlineData("ml", false, "team-a")]
    [InlineData("ml,batch,unknown", false, "team-a,team-b")]
    [InlineData("unknown", false, "")]
    [InlineData("", false, "")]
    public async Task Groups_see_what_they_are_said_to_see(string groups, bool all, string namespaces)
    {
        var viewer = await AdmitAsync(_provider.Token(claims => claims["groups"] = new JsonArray([.. groups.Split(',').Select(g => JsonValue.Create(g))])));

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
            "for somebody else" => _provider.Token(c => c["aud"] = "others"),
            "of somebody else" => _provider.Token(c => c["iss"] = "http://127.0.0.1:1/"),
            "too old" => _provider.Token(c => c["exp"] = 1_000_000_000),
            "another key" => _provider.Token(_ => { }, otherKey),
            "no signature" => $"{OpenIdProvider.Encode("""{"alg":"none"}""")}.{_provider.Token(_ => { }).Split('.')[1]}.",
            "changed" => string.Join('.', _provider.Token(_ => { }).Split('.') is var parts ? [parts[0], _provider.Token(c => c["sub"] = "eve").Split('.')[1], parts[2]] : Array.Empty<string>()),
            _ => "",
        };

        var refused = await Assert.ThrowsAsync<AccessRefusedException>(() => AdmitAsync(token));

        Assert.Equal(401, refused.Status);
        Assert.DoesNotContain(token.Length > 0 ? token : "\0", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_provider_that_is_away_is_not_the_fault_of_who_asks()
    {
        var token = _provider.Token(_ => { });
        await _provider.StopAsync();

        Assert.Equal(503, (await Assert.ThrowsAsync<AccessRefusedException>(() => AdmitAsync(token))).Status);
    }

    private async Task<Viewer> AdmitAsync(string token)
    {
        var http = new DefaultHttpContext { RequestServices = _services };
        http.Request.Headers.Authorization = $"Bearer {token}";
        return await _services.GetRequiredService<IGate>().AdmitAsync(http);
    }
}
