using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Hami.Api.Plumbing.Listening;

/// <summary>What a TLS handshake is made with.</summary>
/// <param name="Server">Our certificate and those between it and the root, which are sent along.</param>
/// <param name="ClientAuthorities">Those that sign clients' certificates; empty where none are asked for.</param>
internal sealed record TlsMaterial(SslStreamCertificateContext Server, X509Certificate2Collection ClientAuthorities);

/// <summary>
/// The files that TLS is made of, followed while the process runs. They are compared by content, as Kubernetes changes a
/// mounted secret by swapping a link; what cannot be used, half-written perhaps, leaves the earlier in force.
/// </summary>
internal sealed partial class TlsFiles(ListenOptions options, TimeProvider time, ILogger<TlsFiles> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly Lock _reading = new();
    private volatile TlsMaterial? _current;
    private string _known = "";
    private string _suspect = "";
    private bool _said;

    /// <summary>What the next handshake uses.</summary>
    /// <exception cref="CryptographicException">The files never could be used.</exception>
    public TlsMaterial Current
    {
        get
        {
            if (_current is null)
                Reload(mayThrow: true);
            return _current!;
        }
    }

    /// <summary>Reads a PEM certificate, its key and what else its file holds.</summary>
    /// <exception cref="CryptographicException">They hold no certificate, or not its key.</exception>
    public static SslStreamCertificateContext ReadCertificate(string certificateFile, string keyFile) =>
        Certificate(File.ReadAllText(certificateFile), File.ReadAllText(keyFile));

    /// <summary>Reads PEM certificates of authorities.</summary>
    /// <exception cref="CryptographicException">The file holds none.</exception>
    public static X509Certificate2Collection ReadAuthorities(string file) => Authorities(File.ReadAllText(file));

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(FollowAsync, time, logger, stoppingToken);

    private async Task FollowAsync(CancellationToken stoppingToken)
    {
        if (options.CertificateFile is null)
            return;
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
            Reload();
    }

    /// <summary>Takes over what the files hold now; keeps what was if that cannot be used, and says so when it stays so.</summary>
    internal void Reload(bool mayThrow = false)
    {
        lock (_reading)
        {
            var content = "";
            try
            {
                var (certificate, key) = (File.ReadAllText(options.CertificateFile!), File.ReadAllText(options.KeyFile!));
                var authorities = options.ClientAuthorityFile is { } file ? File.ReadAllText(file) : "";
                content = Convert.ToHexString(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes($"{certificate}\n{key}\n{authorities}")));
                if (content == _known)
                    return;
                var earlier = _current;
                _current = new(Certificate(certificate, key), authorities.Length == 0 ? [] : Authorities(authorities));
                _known = content;
                if (earlier is not null)
                    LogReloaded(logger, options.CertificateFile!, _current.Server.TargetCertificate.Subject, _current.Server.TargetCertificate.NotAfter.ToUniversalTime());
            }
            catch (Exception e) when (!mayThrow && e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
            {
                Suspect(content.Length > 0 ? content : e.Message, e.Message);
            }
        }
    }

    // Files that are being written, or swapped between two reads, are looked at once more before anything is said.
    private void Suspect(string content, string why)
    {
        var again = content == _suspect;
        if (again && !_said)
            LogKept(logger, options.CertificateFile!, why);
        (_suspect, _said) = (content, again);
    }

    private static SslStreamCertificateContext Certificate(string certificate, string key)
    {
        var chain = new X509Certificate2Collection();
        chain.ImportFromPem(certificate);
        return SslStreamCertificateContext.Create(X509Certificate2.CreateFromPem(certificate, key), chain, offline: true);
    }

    private static X509Certificate2Collection Authorities(string pem)
    {
        var authorities = new X509Certificate2Collection();
        authorities.ImportFromPem(pem);
        return authorities.Count > 0 ? authorities : throw new CryptographicException("It holds no PEM certificate.");
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "New connections are served with the certificate that {File} holds now: {Subject}, valid until {NotAfter}.")]
    private static partial void LogReloaded(ILogger logger, string file, string subject, DateTime notAfter);

    [LoggerMessage(Level = LogLevel.Error, Message = "The TLS files were changed to what cannot be used, so the certificate known before stays in force. {File}: {Why}")]
    private static partial void LogKept(ILogger logger, string file, string why);
}
