using System.Security.Cryptography.X509Certificates;

namespace Hami.Api.Plumbing;

/// <summary>The TLS listener's certificate and all that its file holds, so that those between ours and the root are sent along.</summary>
internal sealed record ServerCertificate(X509Certificate2 Certificate, X509Certificate2Collection Chain)
{
    /// <summary>Reads PEM files.</summary>
    /// <exception cref="System.Security.Cryptography.CryptographicException">They hold no certificate, or not its key.</exception>
    public static ServerCertificate Load(string certificateFile, string keyFile)
    {
        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(certificateFile);
        return new(X509Certificate2.CreateFromPemFile(certificateFile, keyFile), chain);
    }
}
