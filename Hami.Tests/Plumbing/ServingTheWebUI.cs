using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using Hami.Api.Plumbing.Pages;
using Hami.Tests.Given;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Hami.Tests.Plumbing;

public sealed partial class ServingTheWebUI(RunningScene running) : IClassFixture<RunningScene>
{
    private const string Html = "text/html";

    [Theory]
    [Trait("Scoreboard", "M24")]
    [InlineData("")]
    [InlineData("nodes/gpu-01.example.com")]
    [InlineData("workloads?namespace=default&sort=-MEMORY")]
    [InlineData("no/such/page")]
    [Trait("Scoreboard", "N15")]
    public async Task Every_address_of_a_page_answers_a_browser_with_the_page(string path)
    {
        SkipUnlessBuilt();
        using var answer = await GetAsync(path, Html);

        Assert.Equal(200, (int)answer.StatusCode);
        Assert.Equal(Html, answer.Content.Headers.ContentType!.MediaType);
        Assert.Equal("no-store", answer.Headers.CacheControl!.ToString());
        Assert.Contains("<div id=\"page\">", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("*/*")]
    [InlineData(null)]
    public async Task Who_asks_for_no_page_is_told_that_nothing_is_there(string? accept)
    {
        using var answer = await GetAsync("api/vgpu/v1/nodes", accept);

        Assert.Equal(404, (int)answer.StatusCode);
    }

    [Fact]
    public async Task A_page_runs_scripts_of_this_host_alone_and_styles_with_a_value_that_is_new_each_time()
    {
        SkipUnlessBuilt();
        var nonces = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < 3; i++)
        {
            using var answer = await GetAsync("", Html);
            var policy = Assert.Single(answer.Headers.GetValues("Content-Security-Policy")).Split("; ").ToDictionary(d => d.Split(' ')[0], d => d.Split(' ')[1..], StringComparer.Ordinal);
            Assert.Equal(["'none'"], policy["default-src"]);
            Assert.Equal(["'self'"], policy["script-src"]);
            Assert.Equal(["'self'"], policy["connect-src"]);
            Assert.Equal(["'none'"], policy["frame-ancestors"]);
            Assert.Equal(["'none'"], policy["base-uri"]);
            Assert.DoesNotContain(policy.Values.SelectMany(v => v), v => v.Contains("unsafe", StringComparison.Ordinal) || v.Contains('*') || v.Contains("http", StringComparison.Ordinal));
            var nonce = NonceOfPolicy().Match(string.Join(' ', policy["style-src"])).Groups[1].Value;
            Assert.InRange(nonce.Length, 20, 100);
            nonces.Add(nonce);
            var page = await answer.Content.ReadAsStringAsync();
            Assert.Contains($"<meta name=\"csp-nonce\" content=\"{nonce}\"", page, StringComparison.Ordinal);
            Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
            Assert.Equal("no-referrer", Assert.Single(answer.Headers.GetValues("Referrer-Policy")));
        }
        Assert.Equal(3, nonces.Count);
    }

    [Fact]
    public async Task Nothing_in_the_page_is_inline_and_all_of_it_comes_from_this_host()
    {
        SkipUnlessBuilt();
        var page = await (await GetAsync("", Html)).Content.ReadAsStringAsync();

        Assert.All(Script().Matches(page), script => Assert.Matches("^<script[^>]* src=\"/[^\"]+\"[^>]*></script>$", script.Value));
        Assert.DoesNotContain("<style", page, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotMatch(" (style|on[a-z]+)=", page);
        Assert.DoesNotMatch("(src|href)=\"(?!/[^/])", page);
    }

    [Theory]
    [InlineData("br")]
    [InlineData("gzip")]
    [InlineData(null)]
    public async Task A_built_file_never_changes_and_comes_as_small_as_the_browser_takes_it(string? encoding)
    {
        SkipUnlessBuilt();
        var whole = FirstLoad.FilesOfIndex(WebUIEndpoint.Built).First(file => file.EndsWith(".js", StringComparison.Ordinal));

        using var answer = await GetAsync($"assets/{whole}", "*/*", encoding);

        Assert.Equal(200, (int)answer.StatusCode);
        Assert.Equal("text/javascript", answer.Content.Headers.ContentType!.MediaType);
        Assert.Contains("immutable", answer.Headers.CacheControl!.ToString(), StringComparison.Ordinal);
        Assert.Equal(TimeSpan.FromDays(365), answer.Headers.CacheControl.MaxAge);
        Assert.Equal("Accept-Encoding", Assert.Single(answer.Headers.Vary));
        Assert.Equal(encoding is null ? [] : [encoding], answer.Content.Headers.ContentEncoding);
        var sent = (await answer.Content.ReadAsByteArrayAsync()).LongLength;
        Assert.Equal(new FileInfo(Path.Combine(WebUIEndpoint.Built, "assets", whole + encoding switch { "br" => ".br", "gzip" => ".gz", _ => "" })).Length, sent);
    }

    [Fact]
    public async Task A_browser_that_refuses_an_encoding_is_not_given_it()
    {
        SkipUnlessBuilt();
        using var answer = await GetAsync($"assets/{FirstLoad.FilesOfIndex(WebUIEndpoint.Built).First()}", "*/*", "br;q=0, gzip");

        Assert.Equal(["gzip"], answer.Content.Headers.ContentEncoding);
    }

    [Theory]
    [InlineData("assets/..%2Findex.html")]
    [InlineData("assets/..%2F..%2Fhami-api.dll")]
    [InlineData("assets/%2e%2e%2f%2e%2e%2fhami-api.runtimeconfig.json")]
    [InlineData("assets/..%5C..%5Chami-api.dll")]
    [InlineData("assets/%2Fetc%2Fpasswd")]
    [InlineData("assets/missing.js")]
    [InlineData("scheme.js.br")]
    public async Task No_address_leads_out_of_the_folder(string path)
    {
        using var answer = await GetAsync(path, "*/*");

        Assert.Equal(404, (int)answer.StatusCode);
    }

    [Fact]
    public void The_first_load_is_at_most_300_KiB()
    {
        SkipUnlessBuilt();
        var files = FirstLoad.Of(WebUIEndpoint.Built);

        // The shell, a page and its words at least: a graph that was not followed would be small for nothing.
        Assert.Contains(files.Keys, name => name.StartsWith("OverviewPage", StringComparison.Ordinal));
        Assert.Contains(files.Keys, name => name.StartsWith("en-", StringComparison.Ordinal));
        Assert.True(files.Values.Sum() <= 300 * 1024, $"{files.Values.Sum() / 1024.0:F0} KiB: {string.Join(", ", files.OrderByDescending(f => f.Value).Select(f => $"{f.Key} {f.Value / 1024.0:F1}"))}");
    }

    [Fact]
    public void Where_it_was_not_built_in_a_browser_is_told_what_to_do()
    {
        var http = new DefaultHttpContext();
        http.Request.Method = HttpMethods.Get;
        http.Request.Headers.Accept = Html;

        var answer = Assert.IsType<ContentHttpResult>(new WebUIEndpoint(Path.Combine(Path.GetTempPath(), "hami-no-such-folder")).Page(http));

        Assert.Equal(404, answer.StatusCode);
        Assert.Contains("./hami build", answer.ResponseContent, StringComparison.Ordinal);
    }

    private static void SkipUnlessBuilt() => Assert.SkipUnless(File.Exists(Path.Combine(WebUIEndpoint.Built, "index.html")), "The web UI is not built in: npm was missing at build time.");

    private async Task<HttpResponseMessage> GetAsync(string path, string? accept, string? encoding = null)
    {
        // The path as it stands: a client that tidies it up would test nothing.
        var address = new Uri($"{running.Scene.Address}{path}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        if (accept is not null)
            request.Headers.Accept.Add(MediaTypeWithQualityHeaderValue.Parse(accept));
        if (encoding is not null)
            request.Headers.TryAddWithoutValidation("Accept-Encoding", encoding);
        return await http.SendAsync(request);
    }

    [GeneratedRegex("'nonce-(?<nonce>[A-Za-z0-9_-]+)'", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex NonceOfPolicy();

    [GeneratedRegex("<script.*?</script>", RegexOptions.Singleline, 10_000)]
    private static partial Regex Script();
}
