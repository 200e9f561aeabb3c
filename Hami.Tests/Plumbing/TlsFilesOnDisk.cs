using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Hami.Tests.Plumbing;

/// <summary>A certificate, its key and an authority of clients, as Kubernetes mounts a secret: links through <c>..data</c>, which is swapped.</summary>
internal sealed class TlsFilesOnDisk : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hami-tls-").FullName;
    private int _version;

    public TlsFilesOnDisk()
    {
        (ServerAuthority, ClientAuthority) = (Authority("servers"), Authority("clients"));
        Swap(Issue("CN=hami-api", ServerAuthority, server: true), ClientAuthority);
        foreach (var file in new[] { "tls.crt", "tls.key", "ca.crt" })
            File.CreateSymbolicLink(Path.Combine(_folder, file), Path.Combine("..data", file));
    }

    public X509Certificate2 ServerAuthority { get; }

    public X509Certificate2 ClientAuthority { get; }

    public string Certificate => Path.Combine(_folder, "tls.crt");

    public string Key => Path.Combine(_folder, "tls.key");

    public string Clients => Path.Combine(_folder, "ca.crt");

    /// <summary>What the kubelet does when the secret changes.</summary>
    public void Swap(X509Certificate2 server, X509Certificate2 clients) =>
        Swap(server.ExportCertificatePem(), server.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem(), clients.ExportCertificatePem());

    public void Swap(string certificate, string key, string clients)
    {
        var version = $"..v{++_version}";
        Directory.CreateDirectory(Path.Combine(_folder, version));
        Write(Path.Combine(version, "tls.crt"), certificate);
        Write(Path.Combine(version, "tls.key"), key);
        Write(Path.Combine(version, "ca.crt"), clients);
        var (link, next) = (Path.Combine(_folder, "..data"), Path.Combine(_folder, "..data_tmp"));
        File.CreateSymbolicLink(next, version);
        using var rename = Process.Start("mv", ["-T", next, link]); // .NET renames no link to a folder onto another
        rename.WaitForExit();
    }

    public string Write(string file, string text)
    {
        var path = Path.Combine(_folder, file);
        File.WriteAllText(path, text);
        return path;
    }

    public static X509Certificate2 Authority(string name) => Issue($"CN={name}", null);

    /// <summary>A certificate for 127.0.0.1; signed by itself, and allowed to sign, without <paramref name="by"/>.</summary>
    /// <param name="server">Whether it is for a server or a client; null for both.</param>
    public static X509Certificate2 Issue(string name, X509Certificate2? by, bool? server = null)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(by is null, false, 0, true));
        if (server is { } forServer)
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(forServer ? "1.3.6.1.5.5.7.3.1" : "1.3.6.1.5.5.7.3.2")], false));
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var from = TimeProvider.System.GetUtcNow().AddHours(-1);
        if (by is null)
            return request.CreateSelfSigned(from, from.AddDays(2));
        using var signed = request.Create(by, from, from.AddDays(1), RandomNumberGenerator.GetBytes(8));
        return signed.CopyWithPrivateKey(key);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
