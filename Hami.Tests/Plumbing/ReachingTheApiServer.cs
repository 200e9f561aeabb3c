using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Hami.NodeAgent.Plumbing.Cluster;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Hami.Tests.Plumbing;

/// <summary>The node agent's own client of the API server: who it trusts, who it says it is, and what it reads off the wire.</summary>
public sealed class ReachingTheApiServer : IDisposable
{
    private readonly TlsFilesOnDisk files = new();

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => files.Dispose();

    [Fact]
    public async Task It_knows_the_server_by_the_kubeconfigs_authority_and_shows_its_certificate_and_token()
    {
        using var authority = TlsFilesOnDisk.Authority("cluster");
        using var stranger = TlsFilesOnDisk.Authority("another");
        using var server = TlsFilesOnDisk.Issue("CN=server", authority, server: true);
        using var ours = TlsFilesOnDisk.Issue("CN=system:node:node-1", authority, server: false);
        await using var api = await ServeAsync(server);
        files.Write("ca.crt", authority.ExportCertificatePem());
        files.Write("token", "t0k3n\n");

        var told = await ClusterAccess.Open(Config("certificate-authority: ca.crt", "tokenFile: token")).ReadNodeAsync("node-1", Ct);
        Assert.Equal("Bearer t0k3n of nobody", told.Metadata.Uid);

        var key = ours.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem();
        told = await ClusterAccess.Open(Config(
            $"certificate-authority-data: {Base64(authority.ExportCertificatePem())}", $"client-certificate-data: {Base64(ours.ExportCertificatePem())}", $"client-key-data: {Base64(key)}"))
            .ReadNodeAsync("node-1", Ct);
        Assert.Equal(" of CN=system:node:node-1", told.Metadata.Uid);

        var deceived = await Assert.ThrowsAsync<HttpRequestException>(() => ClusterAccess.Open(Config($"certificate-authority-data: {Base64(stranger.ExportCertificatePem())}")).ReadNodeAsync("node-1", Ct));
        Assert.IsType<AuthenticationException>(deceived.InnerException);
        Assert.Equal(" of nobody", (await ClusterAccess.Open(Config("insecure-skip-tls-verify: true")).ReadNodeAsync("node-1", Ct)).Metadata.Uid);

        string Config(string cluster, params string[] user) => files.Write("kubeconfig", $$"""
            current-context: here
            contexts: [ { name: here, context: { cluster: c, user: u } } ]
            clusters:
            - name: c
              cluster:
                server: {{api.Urls.First()}}
                {{cluster}}
            users:
            - name: u
              user:{{string.Concat(user.Select(line => "\n    " + line))}}
            """);
    }

    [Theory]
    [InlineData("", "it is empty")]
    [InlineData("clusters: []", "no current-context")]
    [InlineData("current-context: a", "none named \"a\"")]
    [InlineData("current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: here}}]", "no http or https address")]
    [InlineData("current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: \"http://x\"}}]\nusers: [{name: u, user: {exec: {command: x}}}]", "use a token")]
    [InlineData("current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: \"http://x\"}}]\nusers: [{name: u, user: {client-certificate-data: \"!\"}}]", "Base-64")]
    [InlineData("a: [", "is not YAML")]
    public void A_kubeconfig_that_cannot_be_used_is_a_sentence(string text, string says)
    {
        var refused = Assert.Throws<InvalidOperationException>(() => ClusterAccess.Open(files.Write("kubeconfig", text)));
        Assert.Contains(says, refused.Message, StringComparison.Ordinal);
        Assert.EndsWith("give --kubeconfig a file that kubectl accepts.", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pods_token_is_read_again_as_the_kubelet_replaces_it()
    {
        using var authority = TlsFilesOnDisk.Authority("cluster");
        var path = files.Write("token", "one");
        files.Write("ca.crt", authority.ExportCertificatePem());
        var access = ClusterAccess.InCluster(Path.GetDirectoryName(path)!, "fd00::1", "443");
        Assert.Equal(("https://[fd00::1]/", path), (access.Server.ToString(), access.TokenFile));

        var time = new FakeTimeProvider();
        var token = new TokenFile(path, time);
        Assert.Equal("one", await token.ReadAsync(Ct));
        files.Write("token", "two");
        time.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal("one", await token.ReadAsync(Ct));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("two", await token.ReadAsync(Ct));
        File.Delete(path);
        time.Advance(TimeSpan.FromHours(1));
        Assert.Equal("two", await token.ReadAsync(Ct));
    }

    [Fact]
    public async Task A_watch_reads_whole_lines_however_they_arrive_skips_what_nobody_asks_for_and_ends_in_the_servers_words()
    {
        const string Lines = """
            {"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","namespace":"ns","uid":"u","resourceVersion":"7","managedFields":[{"deep":[{"er":"}{\""}]}]},"spec":{"containers":[{"name":"c","resources":{"limits":{"nvidia.com/gpu":"1","cpu":2}}}]}}}

            {"object":{"metadata":{"name":"p","uid":"u","resourceVersion":"8"},"spec":{}},"type":"DELETED"}
            {"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"520","annotations":{"k8s.io/initial-events-end":"true"}},"spec":{"containers":null},"status":{}}}
            {"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old resource version: 1 (2)","reason":"Expired","code":410}}
            """;
        for (var seed = 0; seed < 20; seed++)
        {
            using var http = new HttpClient(new Piecewise(Encoding.UTF8.GetBytes(Lines), new Random(seed)));
            var client = new ApiServerClient(http, new("http://api/"), (_, _) => Task.CompletedTask);
            var told = new List<string>();
            var ended = await Assert.ThrowsAsync<ApiServerException>(async () =>
            {
                await foreach (var (type, pod) in client.WatchPodsAsync("spec.nodeName=n", "1", TimeSpan.FromMinutes(5), Ct))
                    told.Add($"{type} {pod.Name} {pod.Metadata.ResourceVersion} {string.Join(' ', pod.Spec.Containers?.SelectMany(c => c.Resources!.Limits!.Values) ?? [])}");
            });
            Assert.Equal((HttpStatusCode.Gone, "too old resource version: 1 (2)"), (ended.Status, ended.Message));
            Assert.Equal(["Added p 7 Quantity { Text = 1, IsPositive = True } Quantity { Text = 2, IsPositive = True }", "Deleted p 8 ", "Bookmark  520 "], told);
        }
    }

    [Theory]
    [InlineData("1", true)]
    [InlineData("3k", true)]
    [InlineData("0.5", true)]
    [InlineData("100m", true)]
    [InlineData("1e3", true)]
    [InlineData("0", false)]
    [InlineData("0.0", false)]
    [InlineData("0Ki", false)]
    [InlineData("0e9", false)]
    [InlineData("-1", false)]
    [InlineData("", false)]
    public void A_quantity_is_more_than_nothing_or_it_is_not(string text, bool positive) => Assert.Equal(positive, new Quantity(text).IsPositive);

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    // Answers with who asked.
    private static async Task<WebApplication> ServeAsync(X509Certificate2 certificate)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(https =>
        {
            https.ServerCertificate = certificate;
            https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
            https.ClientCertificateValidation = static (_, _, _) => true;
        })));
        builder.Services.AddRoutingCore();
        var app = builder.Build();
        app.MapGet("/api/v1/nodes/{name}", (HttpContext http, string name) => Results.Text(
            $$"""{ "kind": "Node", "metadata": { "name": "{{name}}", "uid": "{{http.Request.Headers.Authorization}} of {{http.Connection.ClientCertificate?.Subject ?? "nobody"}}" } }"""));
        await app.StartAsync();
        return app;
    }

    // A body that arrives in pieces of any size.
    private sealed class Piecewise(byte[] body, Random random) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage { Content = new StreamContent(new Pieces(body, random)) });

        private sealed class Pieces(byte[] body, Random random) : MemoryStream(body)
        {
            public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
                base.ReadAsync(buffer[..Math.Min(buffer.Length, random.Next(1, 200))], cancellationToken);
        }
    }
}
