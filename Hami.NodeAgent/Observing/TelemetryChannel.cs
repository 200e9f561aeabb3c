using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;

namespace Hami.NodeAgent.Observing;

/// <summary>The way to the control plane: opened anew when the authorities' file has changed; the token is read again for each report.</summary>
internal sealed class TelemetryChannel(TelemetryOptions options) : IDisposable
{
    private GrpcChannel? channel;
    private string? authorities;

    /// <exception cref="IOException">The authorities cannot be read.</exception>
    /// <exception cref="CryptographicException">The file holds none.</exception>
    public Telemetry.V1.Telemetry.TelemetryClient Client()
    {
        var now = options.AuthorityFile is { } file ? File.ReadAllText(file) : null;
        if (channel is null || now != authorities)
        {
            channel?.Dispose();
            channel = null;
            channel = GrpcChannel.ForAddress(options.Address, new() { DisposeHttpClient = true, HttpHandler = Handler(now) });
            authorities = now;
        }
        return new(channel);
    }

    /// <exception cref="IOException">There is no token.</exception>
    public Metadata Headers() => options.TokenFile is { } file ? new() { { "Authorization", $"Bearer {File.ReadAllText(file).Trim()}" } } : [];

    public void Dispose() => channel?.Dispose();

    private static SocketsHttpHandler Handler(string? pem)
    {
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            // Now and then to another copy of the control plane, so that one that was started later gets its part.
            PooledConnectionLifetime = TimeSpan.FromMinutes(10),
            KeepAlivePingDelay = TimeSpan.FromSeconds(30),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
        };
        if (pem is null)
            return handler;
        var trusted = new X509Certificate2Collection();
        trusted.ImportFromPem(pem);
        if (trusted.Count == 0)
            throw new CryptographicException("The file of --api-ca-file holds no PEM certificate.");
        handler.SslOptions.CertificateChainPolicy = new()
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true,
        };
        handler.SslOptions.CertificateChainPolicy.CustomTrustStore.AddRange(trusted);
        return handler;
    }
}
