using System.Net;
using System.Net.Http.Json;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Hami.Lab.Cluster;
using Hami.Tests.Given;

namespace Hami.Tests.Plumbing;

/// <summary>The API server calls webhooks over HTTPS alone; people may use the plain listener beside it.</summary>
public sealed class ServingOverTls(ServingOverTls.TwoListeners listeners) : IClassFixture<ServingOverTls.TwoListeners>
{
    public static TheoryData<string, bool> Endpoints => new MatrixTheoryData<string, bool>(["webhook", "healthz", "readyz"], [true, false]);

    [Theory]
    [Trait("Scoreboard", "H03")]
    [MemberData(nameof(Endpoints))]
    public async Task Every_public_endpoint_answers_on_both_listeners(string path, bool tls)
    {
        using var http = Trusting(listeners.Authority);
        var address = new Uri(tls ? listeners.Tls : listeners.Scene.Address, path);

        if (path is "healthz" or "readyz")
        {
            Assert.Equal("ok", await http.GetStringAsync(address));
            return;
        }
        using var answer = await http.PostAsJsonAsync(address, Question);
        var body = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.True(body["response"]!["patch"] is not null, body.ToJsonString());
    }

    [Fact]
    public async Task A_client_that_does_not_know_the_authority_gets_no_connection()
    {
        using var http = new HttpClient();
        await Assert.ThrowsAsync<HttpRequestException>(() => http.GetAsync(new Uri(listeners.Tls, "healthz")));
    }

    [Fact]
    public async Task The_TLS_listener_does_not_talk_plain_HTTP()
    {
        using var http = new HttpClient();
        await Assert.ThrowsAsync<HttpRequestException>(() => http.GetAsync(new UriBuilder(listeners.Tls) { Scheme = "http", Path = "healthz" }.Uri));
    }

    private static JsonObject Question => new()
    {
        ["apiVersion"] = "admission.k8s.io/v1",
        ["kind"] = "AdmissionReview",
        ["request"] = new JsonObject
        {
            ["uid"] = "r-1",
            ["object"] = JsonNode.Parse(
                """
                {"metadata":{"name":"p","namespace":"default","uid":"u-1"},
                 "spec":{"containers":[{"name":"main","resources":{"limits":{"nvidia.com/gpu":"1","nvidia.com/gpumem":"1k"}}}]}}
                """),
        },
    };

    internal static HttpClient Trusting(X509Certificate2 authority) => new(new SocketsHttpHandler
    {
        SslOptions = new SslClientAuthenticationOptions
        {
            CertificateChainPolicy = new()
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                CustomTrustStore = { authority },
                RevocationMode = X509RevocationMode.NoCheck,
                DisableCertificateDownloads = true,
            },
        },
    });

    /// <summary>One control plane that listens both ways.</summary>
    public sealed class TwoListeners : IAsyncLifetime
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hami-tls-");

        internal ControlPlaneScene Scene { get; private set; } = null!;

        internal X509Certificate2 Authority { get; private set; } = null!;

        internal Uri Tls { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            var certificates = LabAuthority.In(_folder.FullName, TimeProvider.System).Issue(_folder.FullName, Loopback.Address, TimeProvider.System);
            Authority = X509Certificate2.CreateFromPem(certificates.AuthorityPem);
            var port = Loopback.FreePort();
            Tls = new($"https://127.0.0.1:{port}/");
            Scene = await ControlPlaneScene.StartAsync(
                nodes: 1, flags: ["--https", $"127.0.0.1:{port}", "--cert-file", certificates.CertificateFile, "--key-file", certificates.KeyFile]);
        }

        public async ValueTask DisposeAsync()
        {
            await Scene.DisposeAsync();
            Authority.Dispose();
            _folder.Delete(recursive: true);
        }
    }
}

/// <summary>What issuers such as cert-manager write: the certificate, then those between it and the root.</summary>
public sealed class ServingAChainOfCertificates
{
    [Fact]
    public async Task The_certificates_between_ours_and_the_root_are_sent_along()
    {
        var folder = Directory.CreateTempSubdirectory("hami-tls-");
        using var root = Issue("CN=root", null);
        using var between = Issue("CN=between", root);
        using var ours = Issue("CN=hami-api", between, authority: false);
        var (certificate, key) = (Path.Combine(folder.FullName, "tls.crt"), Path.Combine(folder.FullName, "tls.key"));
        await File.WriteAllTextAsync(certificate, $"{ours.ExportCertificatePem()}\n{between.ExportCertificatePem()}\n");
        await File.WriteAllTextAsync(key, ours.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        var port = Loopback.FreePort();

        await using var scene = await ControlPlaneScene.StartAsync(
            nodes: 0, flags: ["--https", $"127.0.0.1:{port}", "--cert-file", certificate, "--key-file", key]);
        using var trust = X509CertificateLoader.LoadCertificate(root.RawData);
        using var http = ServingOverTls.Trusting(trust);

        Assert.Equal("ok", await http.GetStringAsync(new Uri($"https://127.0.0.1:{port}/healthz")));
        folder.Delete(recursive: true);
    }

    private static X509Certificate2 Issue(string name, X509Certificate2? by, bool authority = true)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(authority, false, 0, true));
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var from = TimeProvider.System.GetUtcNow().AddHours(-1);
        return by is null
            ? request.CreateSelfSigned(from, from.AddDays(2))
            : request.Create(by, from, from.AddDays(1), RandomNumberGenerator.GetBytes(8)).CopyWithPrivateKey(key);
    }
}
