using System.Text.Json.Nodes;
using Hami.Api.Access;
using Hami.Api.Access.SigningIn;
using Hami.Tests.Given;
using Hami.Tests.Plumbing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Net.Http.Headers;
using Npgsql;

namespace Hami.Tests.Access;

/// <summary>
/// Somebody signs in at the provider's own page. Two replicas answer at one address, behind an ingress where TLS ends; a browser's part is played here.
/// </summary>
public sealed class SigningInAtAProvider : IAsyncLifetime
{
    private const string PublicHost = "hami.example.org";
    private const string DeepLink = "/workloads/pod-1?at=2026-11-26T09:30:00Z";

    private static readonly string Begin = $"/sign-in?to={Uri.EscapeDataString(DeepLink)}";

    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false });
    private readonly LogLines _log = new();
    private readonly List<WebApplication> _replicas = [];
    private readonly List<string> _addresses = [];
    private readonly string _secretFile = Path.GetTempFileName();
    private OpenIdProvider _provider = null!;
    private NpgsqlDataSource _database = null!;
    private AccessOptions _options = null!;

    public async ValueTask InitializeAsync()
    {
        _provider = await OpenIdProvider.StartAsync();
        _provider.RedirectUri = $"https://{PublicHost}/sign-in/callback";
        _provider.Secret = "a secret";
        await File.WriteAllTextAsync(_secretFile, "a secret\n");
        _database = NpgsqlDataSource.Create(await TestPostgres.CreateDatabaseAsync());
        _options = new(AuthMode.Oidc, new(_provider.Issuer, OpenIdProvider.Client, "name", "groups", new Dictionary<string, Scope>(StringComparer.Ordinal) { ["admins"] = Scope.Everything })
        {
            SignIn = new(new($"https://{PublicHost}"), OpenIdProvider.Client, _secretFile, ["openid", "profile", "groups"]),
        });
        await Task.WhenAll(StartReplicaAsync(), StartReplicaAsync());
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in _replicas)
            await replica.DisposeAsync();
        await _database.DisposeAsync();
        await _provider.DisposeAsync();
        _http.Dispose();
        File.Delete(_secretFile);
    }

    [Fact]
    [Trait("Scoreboard", "N14")]
    public async Task Whoever_the_provider_lets_in_gets_its_token_once_whichever_replica_answers()
    {
        // Larger than a cookie, as with hundreds of groups.
        _provider.Claims = claims => claims["groups"] = new JsonArray([JsonValue.Create("admins"), .. Enumerable.Range(0, 500).Select(n => JsonValue.Create($"a-group-with-a-long-name-{n}"))]);
        var browser = new Browser(this);

        var callback = await browser.PassTheProviderAsync(_replicas[0], Begin);
        Assert.Equal("openid profile groups", _provider.Asked!["scope"].ToString());
        Assert.All(browser.Cookies, cookie => Assert.Equal((true, true, Microsoft.Net.Http.Headers.SameSiteMode.Lax), (cookie.Secure, cookie.HttpOnly, cookie.SameSite)));
        var back = await browser.AskAsync(_replicas[1], HttpMethod.Get, callback);

        Assert.Equal((302, $"{DeepLink}#signed-in"), (back.Status, back.Location));
        var ticket = browser.Cookies.Single(c => c.Name == SignIn.TicketCookie);
        Assert.Equal(
            (true, true, Microsoft.Net.Http.Headers.SameSiteMode.Strict, SignIn.TokenPath, TimeSpan.FromSeconds(60)), (ticket.Secure, ticket.HttpOnly, ticket.SameSite, ticket.Path.ToString(), ticket.MaxAge));
        var copy = browser.Copy();

        // One that was started since has the same keys and tickets.
        var taken = await browser.TakeAsync(await StartReplicaAsync());

        Assert.Equal(200, taken.Status);
        var token = JsonNode.Parse(taken.Body)!["token"]!.GetValue<string>();
        Assert.Equal(_provider.Gave.Token, token);
        Assert.True(token.Length > 12_000);
        Assert.Equal("ada", (await AdmitAsync(token)).Name);
        Assert.Empty(browser.Cookies);
        Assert.Equal(410, (await copy.TakeAsync(_replicas[0])).Status);
        var written = string.Join('\n', [.. _log.Lines, .. _addresses]);
        Assert.DoesNotContain(token, written, StringComparison.Ordinal);
        Assert.DoesNotContain(ticket.Value.ToString(), written, StringComparison.Ordinal);
        Assert.Equal(1L, await AskDatabaseAsync("select count(*) from hami_sign_in.key"));
    }

    [Fact]
    public async Task Nobody_is_sent_anywhere_but_to_a_page_of_ours()
    {
        foreach (var to in (string[])
            [
                "//evil.example.org", "https://evil.example.org/", "/\\evil.example.org", "\\\\evil.example.org", "javascript:alert(1)", "evil.example.org", "/\t/evil.example.org", "/a#signed-in",
                "/sign-in?to=/",
            ])
        {
            var answer = await new Browser(this).AskAsync(_replicas[0], HttpMethod.Get, $"/sign-in?to={Uri.EscapeDataString(to)}");

            Assert.Equal((to, 400, ""), (to, answer.Status, answer.Location));
            Assert.Contains("no path of the web UI", answer.Body, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("the provider says no", "denied")]
    [InlineData("the provider knows no such scope", "refused")]
    [InlineData("a wrong secret", "refused")]
    [InlineData("the provider is away", "unreachable")]
    [InlineData("the provider goes away", "unreachable")]
    [InlineData("no name", "unnamed")]
    [InlineData("no groups", "groups")]
    [InlineData("unknown groups", "nothing")]
    [InlineData("for somebody else", "unaccepted")]
    [InlineData("another nonce", "stale")]
    [InlineData("another browser", "stale")]
    [InlineData("a state made up", "stale")]
    [InlineData("used before", "stale")]
    public async Task What_goes_wrong_is_said_by_the_page_that_somebody_came_from(string what, string word)
    {
        var browser = new Browser(this);
        (_provider.Refusal, _provider.Secret) = what switch
        {
            "the provider says no" => ("access_denied", _provider.Secret),
            "the provider knows no such scope" => ("invalid_scope", _provider.Secret),
            "a wrong secret" => (null, "another secret"),
            _ => (null, _provider.Secret),
        };
        _provider.Claims = claims =>
        {
            _ = what switch
            {
                "no name" => claims.Remove("name"),
                "no groups" => claims.Remove("groups"),
                "unknown groups" => Set(claims, "groups", new JsonArray("others")),
                "for somebody else" => Set(claims, "aud", "others"),
                "another nonce" => Set(claims, "nonce", "another"),
                _ => true,
            };
        };
        if (what == "the provider is away")
            await _provider.StopAsync();

        Answer answer;
        if (what == "the provider is away")
        {
            answer = await browser.AskAsync(_replicas[0], HttpMethod.Get, Begin);
        }
        else
        {
            var callback = await browser.PassTheProviderAsync(_replicas[0], Begin);
            if (what == "the provider goes away")
                await _provider.StopAsync();
            if (what == "used before")
                await browser.AskAsync(_replicas[1], HttpMethod.Get, callback);
            if (what == "a state made up")
                callback = QueryHelpers.AddQueryString(SignIn.CallbackPath, new Dictionary<string, string?>(StringComparer.Ordinal) { ["code"] = "c", ["state"] = "s" });
            answer = await (what == "another browser" ? new Browser(this) : browser).AskAsync(_replicas[0], HttpMethod.Get, callback);
        }

        // A state that is not ours does not say where somebody came from.
        Assert.Equal((302, $"{(what == "a state made up" ? "/" : DeepLink)}#sign-in={word}"), (answer.Status, answer.Location));
        Assert.Equal("", answer.Body);
        if (what != "used before")
            Assert.DoesNotContain(browser.Cookies, c => c.Name == SignIn.TicketCookie);
        var lines = _log.Lines.Where(l => l.StartsWith("Somebody could not sign in", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(lines);
        Assert.DoesNotContain(lines, l => l.Contains('\n', StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_token_is_given_to_our_page_alone_and_within_a_minute()
    {
        var browser = new Browser(this);
        await browser.AskAsync(_replicas[0], HttpMethod.Get, await browser.PassTheProviderAsync(_replicas[0], "/sign-in"));

        var forged = await browser.Copy().AskAsync(_replicas[0], HttpMethod.Post, SignIn.TokenPath);
        var made = await new Browser(this).TakeAsync(_replicas[0], ticket: "made-up");
        var none = await new Browser(this).TakeAsync(_replicas[0]);
        await AskDatabaseAsync("with past as (update hami_sign_in.handed set until = now() returning 1) select count(*) from past");
        var late = await browser.TakeAsync(_replicas[0]);

        Assert.Equal((403, 410, 410, 410), (forged.Status, made.Status, none.Status, late.Status));
        Assert.All((Answer[])[forged, made, none, late], answer => Assert.DoesNotContain("token\":", answer.Body, StringComparison.Ordinal));
        Assert.Equal(0L, await AskDatabaseAsync("select count(*) from hami_sign_in.handed"));
    }

    private static bool Set(JsonObject claims, string name, JsonNode value)
    {
        claims[name] = value;
        return true;
    }

    private async Task<WebApplication> StartReplicaAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddProvider(_log);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton(_database);
        builder.Services.AddAccess(_options);
        var app = builder.Build();
        app.UseAccess(_options);
        app.MapSignIn(_options);
        await app.StartAsync();
        lock (_replicas)
            _replicas.Add(app);
        return app;
    }

    private async Task<Viewer> AdmitAsync(string token)
    {
        var http = new DefaultHttpContext { RequestServices = _replicas[0].Services };
        http.Request.Headers.Authorization = $"Bearer {token}";
        return await _replicas[0].Services.GetRequiredService<IGate>().AdmitAsync(http);
    }

    private async Task<object?> AskDatabaseAsync(string sql)
    {
        await using var command = _database.CreateCommand(sql);
        return await command.ExecuteScalarAsync();
    }

    private sealed record Answer(int Status, string Location, string Body);

    /// <summary>Keeps cookies as browsers do, and follows nobody by itself.</summary>
    private sealed class Browser(SigningInAtAProvider scene)
    {
        private Dictionary<string, SetCookieHeaderValue> _cookies = new(StringComparer.Ordinal);

        public IReadOnlyCollection<SetCookieHeaderValue> Cookies => _cookies.Values;

        /// <summary>Another browser with the same cookies.</summary>
        public Browser Copy() => new(scene) { _cookies = new(_cookies, StringComparer.Ordinal) };

        /// <summary>Begins to sign in, and lets the provider send it back; returns the path and query with which it does.</summary>
        public async Task<string> PassTheProviderAsync(WebApplication replica, string begin)
        {
            var away = await AskAsync(replica, HttpMethod.Get, begin);
            Assert.Equal(302, away.Status);
            Assert.StartsWith(new Uri(scene._provider.Issuer, "authorize").ToString(), away.Location, StringComparison.Ordinal);
            using var answer = await scene._http.GetAsync(new Uri(away.Location));
            var back = answer.Headers.Location!;
            scene._addresses.Add(back.ToString());
            Assert.Equal(scene._provider.RedirectUri, back.GetLeftPart(UriPartial.Path));
            return back.PathAndQuery;
        }

        public Task<Answer> TakeAsync(WebApplication replica, string? ticket = null)
        {
            if (ticket is not null)
                _cookies[SignIn.TicketCookie] = new(SignIn.TicketCookie, ticket) { Path = "/" };
            return AskAsync(replica, HttpMethod.Post, SignIn.TokenPath, ("X-Requested-With", "hami"));
        }

        public async Task<Answer> AskAsync(WebApplication replica, HttpMethod method, string pathAndQuery, params (string Name, string Value)[] headers)
        {
            using var request = new HttpRequestMessage(method, replica.Urls.Single() + pathAndQuery);
            request.Headers.Host = PublicHost;
            foreach (var (name, value) in headers)
                request.Headers.Add(name, value);
            var path = pathAndQuery.Split('?')[0];
            foreach (var cookie in _cookies.Values.Where(c => path.StartsWith(c.Path.ToString(), StringComparison.Ordinal)))
                request.Headers.Add("Cookie", $"{cookie.Name}={cookie.Value}");
            using var answer = await scene._http.SendAsync(request);
            if (answer.Headers.TryGetValues("Set-Cookie", out var set))
            {
                foreach (var cookie in SetCookieHeaderValue.ParseList([.. set]))
                {
                    if (cookie.Expires < TimeProvider.System.GetUtcNow())
                        _cookies.Remove(cookie.Name.ToString());
                    else
                        _cookies[cookie.Name.ToString()] = cookie;
                }
            }
            var location = answer.Headers.Location?.OriginalString ?? "";
            scene._addresses.Add(location);
            return new((int)answer.StatusCode, location, await answer.Content.ReadAsStringAsync());
        }
    }
}
