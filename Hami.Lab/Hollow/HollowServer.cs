using System.Net;
using Hami.Lab.Kubelet;

namespace Hami.Lab.Hollow;

/// <summary>Answers for the kubelets of all hollow nodes: there are no logs, and it says why.</summary>
internal sealed class HollowServer : IAsyncDisposable
{
    private readonly WebApplication _server;
    private readonly System.Security.Cryptography.X509Certificates.X509Certificate2 _certificate;

    private HollowServer(WebApplication server, System.Security.Cryptography.X509Certificates.X509Certificate2 certificate)
    {
        _server = server;
        _certificate = certificate;
    }

    public int Port => new Uri(_server.Urls.First()).Port;

    public static async Task<HollowServer> StartAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        var certificate = KubeletCertificate.Create("hollow", IPAddress.Loopback, time);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(certificate)));
        var server = new HollowServer(builder.Build(), certificate);
        server._server.MapGet("/healthz", () => "ok");
        server._server.MapFallback(async http =>
        {
            http.Response.StatusCode = StatusCodes.Status400BadRequest;
            await http.Response.WriteAsync("the pod is on a hollow node: it has no processes, and so no logs", http.RequestAborted);
        });
        try
        {
            await server._server.StartAsync(cancellationToken);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _certificate.Dispose();
    }
}
