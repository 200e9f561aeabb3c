using Hami.Lab.Cluster;
using Hami.Tests.Access;
using Hami.Tests.Given;
using Microsoft.Playwright;

namespace Hami.Tests.WebUI;

/// <summary>The button that leads to an OpenID provider, in a browser; with a control plane of its own, which needs no lab.</summary>
public sealed class SigningInAtTheProvidersPage
{
    [Fact]
    [Trait("Scoreboard", "N14")]
    public async Task Who_signs_in_at_the_provider_is_back_on_the_page_that_was_asked_for()
    {
        Assert.SkipWhen(WebUIScene.WhyNot is not null, WebUIScene.WhyNot ?? "");
        using var playwright = await Playwright.CreateAsync();
        await using var browser = await Chromium.StartAsync(playwright);
        // Another host than ours, as browsers see it.
        await using var provider = await OpenIdProvider.StartAsync("localhost");
        var address = new Uri($"http://127.0.0.1:{Loopback.FreePort()}/");
        (provider.Asks, provider.RedirectUri) = (true, new Uri(address, "sign-in/callback").ToString());
        await using var api = await ControlPlaneScene.StartAsync(nodes: 1, flags:
        [
            "--http_bind", address.Authority, "--auth-mode", "oidc", "--oidc-issuer", provider.Issuer.ToString(), "--oidc-audience", OpenIdProvider.Client, "--oidc-group", "admins=*",
            "--webui-address", address.ToString(),
        ]);
        await using var visit = await Visit.BeginAsync(browser, address, new());
        var button = visit.Page.GetByRole(AriaRole.Link, new() { Name = $"Sign in with {provider.Issuer.Authority}" });
        var navigation = visit.Page.GetByRole(AriaRole.Navigation);
        var link = $"/nodes?at={TimeProvider.System.GetUtcNow():yyyy-MM-ddTHH:mm:ss.fffZ}";

        await visit.GoAsync(link);
        await button.ClickAsync();
        await visit.Page.GetByRole(AriaRole.Link, new() { Name = "Let ada in" }).ClickAsync();

        await visit.UntilAsync(navigation);
        await visit.UntilAsync(visit.Page.GetByRole(AriaRole.Button, new() { Name = "Signed in as ada" }));
        Assert.Equal(new Uri(address, link).ToString(), visit.Page.Url);
        await visit.ReloadAsync();
        await visit.UntilAsync(navigation);
        var token = provider.Gave.Token;
        Assert.Equal(token, await visit.Page.EvaluateAsync<string?>("sessionStorage.getItem('hami-token')"));
        Assert.Empty(await visit.Page.Context.CookiesAsync([new Uri(address, "sign-in/token").ToString()]));
        Assert.DoesNotContain(visit.Addresses, a => a.Contains(token, StringComparison.Ordinal));

        // Its time is over: the page says so, and its button leads back to it.
        provider.Asks = false;
        // As the page goes: what it asks itself until then would take the token away again.
        await visit.Page.EvaluateAsync("token => addEventListener('pagehide', () => sessionStorage.setItem('hami-token', token))", provider.Token(claims => claims["exp"] = 1_000_000_000));
        await visit.ReloadAsync();
        await visit.UntilAsync(visit.Page.GetByText("Your sign-in is over."));
        await button.ClickAsync();
        await visit.UntilAsync(navigation);
        Assert.Equal(new Uri(address, link).ToString(), visit.Page.Url);

        // The provider says no.
        provider.Refusal = "access_denied";
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Signed in as ada" }).ClickAsync();
        await visit.Page.GetByRole(AriaRole.Menuitem, new() { Name = "Sign out" }).ClickAsync();
        await button.ClickAsync();
        await visit.UntilAsync(visit.Page.GetByRole(AriaRole.Alert));
        Assert.Contains("the provider did not let you in", await visit.Page.GetByRole(AriaRole.Alert).InnerTextAsync(), StringComparison.Ordinal);
        Assert.Equal(new Uri(address, link).ToString(), visit.Page.Url);

        Assert.All(visit.Complaints, complaint => Assert.True(
            complaint.Contains("401", StringComparison.Ordinal) || complaint.StartsWith($"a request to another host: {provider.Issuer}", StringComparison.Ordinal), complaint));
        Assert.DoesNotContain(token, api.Log, StringComparison.Ordinal);
        // Where people are not served it is not there.
        using var http = new HttpClient();
        using var elsewhere = await http.GetAsync(new Uri(api.Metrics, "/sign-in/callback?code=c&state=s"), TestContext.Current.CancellationToken);
        Assert.Equal(System.Net.HttpStatusCode.NotFound, elsewhere.StatusCode);
    }
}
