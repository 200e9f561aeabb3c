using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Hami.Api.Plumbing.Listening;
using Hami.Lab.Cluster;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Hami.Tests.Plumbing;

/// <summary>TLS as the listeners speak it, with files that change under them.</summary>
public sealed class FollowingTlsFiles : IAsyncLifetime
{
    private readonly TlsFilesOnDisk _files = new();
    private readonly LogLines _log = new();
    private readonly int _public = Loopback.FreePort();
    private readonly int _extender = Loopback.FreePort();
    private WebApplication _app = null!;

    public async ValueTask InitializeAsync()
    {
        var options = new ListenOptions(
            [
                new(new(IPAddress.Loopback, _public), Callers.Public, Tls: true),
                new(new(IPAddress.Loopback, _extender), Callers.Scheduler, Tls: true, ClientCertificates: true),
            ],
            _files.Certificate, _files.Key, _files.Clients);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddProvider(_log);
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.ListenAt(options));
        builder.Services.AddSingleton(options).AddSingleton(TimeProvider.System).AddSingleton<TlsFiles>();
        _app = builder.Build();
        _app.UseListeners();
        _app.For(Callers.Public).MapGet("/who", () => "public");
        _app.For(Callers.Scheduler).MapGet("/bind", (HttpContext http) => http.Connection.ClientCertificate?.Subject);
        await _app.StartAsync();
    }

    [Fact]
    [Trait("Scoreboard", "H07")]
    public async Task New_connections_get_the_new_certificate_and_old_ones_go_on()
    {
        using var old = Client();
        Assert.Equal("public", await old.Http.GetStringAsync(At(_public, "who")));
        var next = TlsFilesOnDisk.Issue("CN=hami-api-2", _files.ServerAuthority, server: true);

        _files.Swap(next, _files.ClientAuthority);
        Follow();

        using var fresh = Client();
        Assert.Equal("public", await fresh.Http.GetStringAsync(At(_public, "who")));
        Assert.Equal(next.Thumbprint, fresh.ServedWith);
        Assert.Equal("public", await old.Http.GetStringAsync(At(_public, "who")));
        Assert.NotEqual(next.Thumbprint, old.ServedWith);
        Assert.Contains(_log.Lines, l => l.Contains("CN=hami-api-2", StringComparison.Ordinal));
    }

    public static TheoryData<string> Broken => ["half", "empty", "foreign key", "missing", "no authority"];

    [Theory]
    [Trait("Scoreboard", "H07")]
    [MemberData(nameof(Broken))]
    public async Task What_cannot_be_used_keeps_the_certificate_in_force_and_is_said_once(string how)
    {
        using var before = Client();
        await before.Http.GetStringAsync(At(_public, "who"));
        var next = TlsFilesOnDisk.Issue("CN=next", _files.ServerAuthority, server: true);
        var (certificate, key) = (next.ExportCertificatePem(), next.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());

        switch (how)
        {
            case "half": _files.Swap(certificate[..(certificate.Length / 2)], key, _files.ClientAuthority.ExportCertificatePem()); break;
            case "empty": _files.Swap("", "", _files.ClientAuthority.ExportCertificatePem()); break;
            case "foreign key": _files.Swap(certificate, TlsFilesOnDisk.Authority("x").GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem(), _files.ClientAuthority.ExportCertificatePem()); break;
            case "missing": File.Delete(_files.Certificate); break;
            default: _files.Swap(certificate, key, "no certificate"); break;
        }
        for (var i = 0; i < 4; i++)
            Follow();

        using var after = Client();
        Assert.Equal("public", await after.Http.GetStringAsync(At(_public, "who")));
        Assert.Equal(before.ServedWith, after.ServedWith);
        Assert.Single(_log.Lines, l => l.Contains("stays in force", StringComparison.Ordinal));

        if (how is "missing")
            return;
        _files.Swap(next, _files.ClientAuthority);
        Follow();
        using var mended = Client();
        await mended.Http.GetStringAsync(At(_public, "who"));
        Assert.Equal(next.Thumbprint, mended.ServedWith);
    }

    [Fact]
    public async Task The_extender_serves_only_clients_whose_certificate_its_authority_signed_for_a_client()
    {
        using var good = Client(TlsFilesOnDisk.Issue("CN=kube-scheduler", _files.ClientAuthority, server: false));
        Assert.Equal("CN=kube-scheduler", await good.Http.GetStringAsync(At(_extender, "bind")));

        X509Certificate2?[] strangers =
        [
            null,
            TlsFilesOnDisk.Issue("CN=stranger", TlsFilesOnDisk.Authority("clients"), server: false), // an authority of the same name
            TlsFilesOnDisk.Issue("CN=server", _files.ClientAuthority, server: true),
            TlsFilesOnDisk.Issue("CN=self", null),
        ];
        foreach (var stranger in strangers)
        {
            using var client = Client(stranger);
            await Assert.ThrowsAnyAsync<HttpRequestException>(() => client.Http.GetStringAsync(At(_extender, "bind")));
        }
    }

    [Fact]
    public async Task A_new_authority_of_clients_is_in_force_for_new_connections()
    {
        var next = TlsFilesOnDisk.Authority("next");
        _files.Swap(TlsFilesOnDisk.Issue("CN=hami-api", _files.ServerAuthority, server: true), next);
        Follow();

        using var good = Client(TlsFilesOnDisk.Issue("CN=kube-scheduler", next, server: false));
        Assert.Equal("CN=kube-scheduler", await good.Http.GetStringAsync(At(_extender, "bind")));
        using var former = Client(TlsFilesOnDisk.Issue("CN=kube-scheduler", _files.ClientAuthority, server: false));
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => former.Http.GetStringAsync(At(_extender, "bind")));
    }

    [Fact]
    public async Task With_a_client_certificate_too_the_public_listener_knows_no_bind()
    {
        using var client = Client(TlsFilesOnDisk.Issue("CN=kube-scheduler", _files.ClientAuthority, server: false));
        using var answer = await client.Http.GetAsync(At(_public, "bind"));
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _log.Dispose();
        _files.Dispose();
    }

    private static Uri At(int port, string path) => new($"https://127.0.0.1:{port}/{path}");

    private void Follow() => _app.Services.GetRequiredService<TlsFiles>().Reload();

    private OneClient Client(X509Certificate2? certificate = null) => new(_files.ServerAuthority, certificate);

    /// <summary>A client with connections of its own.</summary>
    private sealed class OneClient : IDisposable
    {
        public OneClient(X509Certificate2 authority, X509Certificate2? own)
        {
            var handler = new SocketsHttpHandler();
            handler.SslOptions.RemoteCertificateValidationCallback = (_, served, _, _) =>
            {
                using var chain = new X509Chain();
                chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
                chain.ChainPolicy.CustomTrustStore.Add(authority);
                chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
                ServedWith = ((X509Certificate2)served!).Thumbprint;
                return chain.Build((X509Certificate2)served);
            };
            if (own is not null)
                handler.SslOptions.ClientCertificateContext = SslStreamCertificateContext.Create(own, null, offline: true);
            Http = new(handler) { Timeout = TimeSpan.FromSeconds(30) };
        }

        public HttpClient Http { get; }

        public string? ServedWith { get; private set; }

        public void Dispose() => Http.Dispose();
    }
}
