using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Hami.NodeAgent.Plumbing.Cluster;

/// <summary>Where the API server is, how it is known, and who we are to it.</summary>
/// <param name="Authority">Certificates in PEM of who may have signed the server's; null for those that the system trusts.</param>
/// <param name="Name">What the server's certificate is for, where that is not the address.</param>
/// <param name="Certificate">Ours, and its key, in PEM; null when we have none.</param>
/// <param name="TokenFile">A file with our token, which is replaced while we run.</param>
internal sealed record ServerAccess(
    Uri Server, string? Authority = null, bool TrustsAnybody = false, string? Name = null, (string Pem, string Key)? Certificate = null, string? Token = null, string? TokenFile = null)
{
    /// <exception cref="CryptographicException">A certificate or key cannot be read.</exception>
    public ApiServerClient Open()
    {
        var ssl = new SslClientAuthenticationOptions { TargetHost = Name };
        if (TrustsAnybody)
#pragma warning disable CA5359 // What insecure-skip-tls-verify asks for, as kubectl does it.
            ssl.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359
        else if (Authority is not null)
        {
            ssl.CertificateChainPolicy = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            ssl.CertificateChainPolicy.CustomTrustStore.ImportFromPem(Authority);
        }
        if (Certificate is var (pem, key))
            ssl.ClientCertificates = [X509Certificate2.CreateFromPem(pem, key)];
        var http = new HttpClient(new SocketsHttpHandler
        {
            SslOptions = ssl,
            // A watch may be silent for minutes; a connection that died must not look so.
            KeepAlivePingDelay = TimeSpan.FromSeconds(30),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(15),
            EnableMultipleHttp2Connections = true,
            AutomaticDecompression = System.Net.DecompressionMethods.GZip,
        });
        http.DefaultRequestHeaders.UserAgent.ParseAdd("hami-node-agent");
        var file = TokenFile is null ? null : new TokenFile(TokenFile, TimeProvider.System);
        return new(http, Server, async (request, cancellation) =>
        {
            if ((file is null ? Token : await file.ReadAsync(cancellation)) is { Length: > 0 } token)
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        });
    }
}

/// <summary>A token that the kubelet replaces long before it ends: read again every minute, as client-go does.</summary>
internal sealed class TokenFile(string path, TimeProvider time)
{
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(1);

    // Swapped as a whole: calls ask for it side by side.
    private Seen? last;

    public async Task<string> ReadAsync(CancellationToken cancellation)
    {
        var known = last;
        if (known is not null && time.GetUtcNow() < known.Until)
            return known.Text;
        try
        {
            var text = (await File.ReadAllTextAsync(path, cancellation)).Trim();
            last = new(text, time.GetUtcNow() + Fresh);
            return text;
        }
        catch (Exception e) when (known is not null && e is IOException or UnauthorizedAccessException)
        {
            // Being replaced: the one we have is good for a while.
            return known.Text;
        }
    }

    private sealed record Seen(string Text, DateTimeOffset Until);
}
