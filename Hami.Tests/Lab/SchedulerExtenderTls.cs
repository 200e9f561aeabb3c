using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Hami.Lab.Scheduler;
using k8s.Models;

namespace Hami.Tests.Lab;

/// <summary>Whom the scheduler believes to be its extender, and who it says it is itself.</summary>
public sealed class SchedulerExtenderTls : IAsyncLifetime
{
    private static readonly V1Pod Pod = new()
    {
        Metadata = new() { Name = "p", NamespaceProperty = "default", Uid = "u" },
        Spec = new() { Containers = [] },
    };

    private readonly X509Certificate2 _certificate = Certificate("CN=extender");
    private SchedulerTestExtender _extender = null!;

    public async ValueTask InitializeAsync() => _extender = await SchedulerTestExtender.Start(_certificate);

    public async ValueTask DisposeAsync()
    {
        await _extender.DisposeAsync();
        _certificate.Dispose();
    }

    [Fact]
    public async Task With_the_right_authority_the_extender_is_believed()
    {
        using var client = new ExtenderClient(new() { Url = _extender.Address, CaPem = _certificate.ExportCertificatePem() });

        var (fitting, _) = await client.Filter(Pod, [Node()], TestContext.Current.CancellationToken);

        Assert.Equal(["n"], fitting);
        Assert.Null(_extender.Caller);
    }

    [Fact]
    public async Task With_another_authority_it_is_not()
    {
        using var other = Certificate("CN=somebody else");
        using var client = new ExtenderClient(new() { Url = _extender.Address, CaPem = other.ExportCertificatePem() });

        var refused = await Assert.ThrowsAsync<ExtenderException>(() => client.Filter(Pod, [Node()], TestContext.Current.CancellationToken));

        Assert.StartsWith($"Post \"{_extender.Address}filter\": tls: ", refused.Message, StringComparison.Ordinal);
        Assert.Empty(_extender.Filters);
    }

    [Fact]
    public async Task Without_an_authority_any_certificate_does_as_in_kube_scheduler()
    {
        using var client = new ExtenderClient(new() { Url = _extender.Address });

        Assert.Equal(["n"], (await client.Filter(Pod, [Node()], TestContext.Current.CancellationToken)).Fitting);
    }

    [Fact]
    public async Task A_client_certificate_is_shown()
    {
        using var own = Certificate("CN=scheduler");
        using var client = new ExtenderClient(new()
        {
            Url = _extender.Address,
            CaPem = _certificate.ExportCertificatePem(),
            ClientCertificatePem = own.ExportCertificatePem(),
            ClientKeyPem = own.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem(),
        });

        await client.Filter(Pod, [Node()], TestContext.Current.CancellationToken).ContinueWith(_ => { }, TaskScheduler.Default);

        Assert.Equal("CN=scheduler", _extender.Caller);
    }

    [Fact]
    public async Task A_node_that_was_not_offered_is_refused()
    {
        _extender.Filter = _ => Task.FromResult("""{"NodeNames":["stranger"],"Error":""}""");
        using var client = new ExtenderClient(new() { Url = _extender.Address });

        var refused = await Assert.ThrowsAsync<ExtenderException>(() => client.Filter(Pod, [Node()], TestContext.Current.CancellationToken));

        Assert.Equal($"extender \"{_extender.Address.ToString().TrimEnd('/')}\" claims a filtered node \"stranger\" which is not found in the input node list", refused.Message);
    }

    private static V1Node Node() => new() { Metadata = new() { Name = "n" } };

    private static X509Certificate2 Certificate(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddMinutes(-5), now.AddHours(1));
    }
}
