using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Hami.Api.Plumbing.Listening;

/// <summary>Opens the listeners, and shows each caller the endpoints meant for it.</summary>
internal static partial class Listeners
{
    private const long LargestBodyBytes = 1 << 20; // where an endpoint sets no limit of its own
    private static readonly TimeSpan HeadersWithin = TimeSpan.FromSeconds(15); // as HAMi

    public static void ListenAt(this KestrelServerOptions kestrel, ListenOptions options)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = LargestBodyBytes;
        kestrel.Limits.RequestHeadersTimeout = HeadersWithin;
        var tls = new Lazy<TlsFiles>(kestrel.ApplicationServices.GetRequiredService<TlsFiles>);
        foreach (var listener in options.Listeners)
        {
            if (listener.Address.Address.Equals(IPAddress.IPv6Any))
                kestrel.ListenAnyIP(listener.Address.Port, Configure);
            else
                kestrel.Listen(listener.Address, Configure);

            void Configure(Microsoft.AspNetCore.Server.Kestrel.Core.ListenOptions listen)
            {
                if (listener.Tls)
                    listen.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = _ => new(Handshake(tls.Value.Current, listener)) });
                // A mark on the connection itself: a Host header can be made up.
                listen.Use(next => connection =>
                {
                    connection.Features.Set(listener);
                    return next(connection);
                });
            }
        }
    }

    /// <summary>Endpoints that only these callers find.</summary>
    public static RouteGroupBuilder For(this IEndpointRouteBuilder routes, Callers callers) => routes.MapGroup("").WithMetadata(new MeantFor(callers));

    /// <summary>At a listener that is not meant for it, an endpoint does not exist.</summary>
    public static void UseListeners(this WebApplication app) => app.Use((http, next) =>
    {
        if (http.GetEndpoint() is { } endpoint
            && http.Features.Get<Listener>() is { } listener
            && !listener.Admits(endpoint.Metadata.GetMetadata<MeantFor>()?.Callers ?? Callers.Public, http.Connection.RemoteIpAddress))
        {
            http.SetEndpoint(null);
        }
        return next(http);
    });

    /// <summary>Says where we listen, and what an admin should know of it.</summary>
    public static void Say(this ListenOptions options, ILogger logger)
    {
        foreach (var listener in options.Listeners)
        {
            LogListening(logger, listener.Address, listener.Callers, listener.ClientCertificates ? "TLS with client certificates" : listener.Tls ? "TLS" : "plain HTTP");
            if (listener.LetsAnybodyBind)
                LogAnybody(logger, listener.Address);
            if (listener.HidesExtender)
                LogHidden(logger, listener.Address);
        }
    }

    private static SslServerAuthenticationOptions Handshake(TlsMaterial tls, Listener listener)
    {
        var handshake = new SslServerAuthenticationOptions
        {
            ServerCertificateContext = tls.Server,
            ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
        };
        if (!listener.ClientCertificates)
            return handshake;
        handshake.ClientCertificateRequired = true;
        handshake.CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        handshake.CertificateChainPolicy.CustomTrustStore.AddRange(tls.ClientAuthorities);
        return handshake;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Listening at {Address} for {Callers}, {How}.")]
    private static partial void LogListening(ILogger logger, IPEndPoint address, Callers callers, string how);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Whoever reaches {Address} can bind any pod to any node: no client certificate is asked for there. Give --extender and --extender-client-ca, or keep others out by network policy.")]
    private static partial void LogAnybody(ILogger logger, IPEndPoint address);

    [LoggerMessage(Level = LogLevel.Information, Message = "At {Address} the extender answers callers on this machine (or in this pod) alone, as no client certificate is asked for there. For a kube-scheduler elsewhere give --extender and --extender-client-ca, or --extender-allow-anybody if the network keeps others out.")]
    private static partial void LogHidden(ILogger logger, IPEndPoint address);

    private sealed record MeantFor(Callers Callers);
}
