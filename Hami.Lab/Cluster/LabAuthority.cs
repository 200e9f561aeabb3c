using System.Net;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Hami.Lab.Cluster;

/// <summary>A certificate authority kept in a directory: a kube-scheduler that was told of it once goes on trusting the lab's control plane.</summary>
internal sealed class LabAuthority
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(3650);
    private static readonly TimeSpan LeafLifetime = TimeSpan.FromDays(365);

    private readonly X509Certificate2 _certificate;

    private LabAuthority(X509Certificate2 certificate) => _certificate = certificate;

    public string Pem => _certificate.ExportCertificatePem();

    /// <summary>The directory's authority; made, key readable by its owner alone, where there is none or it is about to end.</summary>
    public static LabAuthority In(string directory, TimeProvider time)
    {
        Directory.CreateDirectory(directory);
        var file = Path.Combine(directory, "authority.pem");
        while (true)
        {
            if (File.Exists(file))
            {
                var known = X509Certificate2.CreateFromPemFile(file);
                if (known.NotAfter.ToUniversalTime() - time.GetUtcNow().UtcDateTime > LeafLifetime)
                    return new(known);
                known.Dispose();
                File.Delete(file);
            }

            Make(file, time);
        }
    }

    // Comes into place whole; of two labs that make one at the same moment, both go on with the first's.
    private static void Make(string file, TimeProvider time)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=hami-lab", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        var from = time.GetUtcNow().AddDays(-1); // clocks differ
        using var made = request.CreateSelfSigned(from, from + Lifetime);
        var unfinished = $"{file}.{Guid.NewGuid():N}";
        PrivateFile.Write(unfinished, made.ExportCertificatePem() + '\n' + key.ExportPkcs8PrivateKeyPem() + '\n');
        // File.Move looks first and renames then: it would take away one that came in between.
        var failure = link(unfinished, file) == 0 ? 0 : Marshal.GetLastPInvokeError();
        File.Delete(unfinished);
        if (failure != 0 && !File.Exists(file))
            throw new IOException($"{file} cannot be made: {Marshal.GetPInvokeErrorMessage(failure)}.");
    }

    /// <summary>Writes a server's certificate for this host and loopback, with its key, into <paramref name="directory"/>.</summary>
    public LabCertificates Issue(string directory, string host, TimeProvider time)
    {
        var from = time.GetUtcNow().AddDays(-1);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=hami-api", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        names.AddDnsName("localhost");
        if (!IPAddress.TryParse(host, out var address))
            names.AddDnsName(host);
        else if (!address.Equals(IPAddress.Loopback))
            names.AddIpAddress(address);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1", "serverAuth")], false));
        using var certificate = request.Create(_certificate, from, from + LeafLifetime, RandomNumberGenerator.GetBytes(16));

        var made = new LabCertificates(Pem, Path.Combine(directory, "ca.crt"), Path.Combine(directory, "tls.crt"), Path.Combine(directory, "tls.key"));
        File.WriteAllText(made.AuthorityFile, Pem);
        File.WriteAllText(made.CertificateFile, certificate.ExportCertificatePem());
        PrivateFile.Write(made.KeyFile, key.ExportPkcs8PrivateKeyPem());
        return made;
    }

    /// <summary>A certificate, with its key, by which a client of the extender shows who it is.</summary>
    public (string CertificatePem, string KeyPem) IssueToClient(string name, TimeProvider time)
    {
        var from = time.GetUtcNow().AddDays(-1);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.2", "clientAuth")], false));
        using var certificate = request.Create(_certificate, from, from + LeafLifetime, RandomNumberGenerator.GetBytes(16));
        return (certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }

    [DllImport("libc", SetLastError = true, CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
#pragma warning disable SYSLIB1054, CA5392, CA2101 // The generated marshalling needs unsafe code for the whole project; .NET's "Ansi" is UTF-8 on Linux.
    private static extern int link(string file, string name);
#pragma warning restore SYSLIB1054, CA5392, CA2101
}

/// <summary>What the control plane serves TLS with, and who vouches for it and for its extender's clients.</summary>
internal sealed record LabCertificates(string AuthorityPem, string AuthorityFile, string CertificateFile, string KeyFile);

/// <summary>Files that only their owner may read, from their first byte on.</summary>
internal static class PrivateFile
{
    public static void Write(string file, string text)
    {
        File.Delete(file);
        using var stream = new FileStream(file, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        using var writer = new StreamWriter(stream);
        writer.Write(text);
    }
}
