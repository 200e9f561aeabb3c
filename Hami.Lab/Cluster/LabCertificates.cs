using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Hami.Lab.Cluster;

/// <summary>A certificate authority of this lab and the webhook's certificate from it, as files.</summary>
internal sealed record LabCertificates(string AuthorityPem, string CertificateFile, string KeyFile)
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(365);

    /// <summary>Writes new ones at every start: nothing outside the lab trusts them.</summary>
    public static LabCertificates Create(string directory, TimeProvider time)
    {
        var from = time.GetUtcNow().AddDays(-1); // clocks differ
        var until = from + Lifetime;

        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var authorityRequest = new CertificateRequest("CN=hami-lab", authorityKey, HashAlgorithmName.SHA256);
        authorityRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        authorityRequest.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        using var authority = authorityRequest.CreateSelfSigned(from, until);

        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=hami-api", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1", "serverAuth")], false));
        using var certificate = request.Create(authority, from, until, RandomNumberGenerator.GetBytes(16));

        var made = new LabCertificates(
            authority.ExportCertificatePem(),
            Path.Combine(directory, "tls.crt"),
            Path.Combine(directory, "tls.key"));
        File.WriteAllText(made.CertificateFile, certificate.ExportCertificatePem());
        File.WriteAllText(made.KeyFile, key.ExportPkcs8PrivateKeyPem());
        File.SetUnixFileMode(made.KeyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return made;
    }
}
