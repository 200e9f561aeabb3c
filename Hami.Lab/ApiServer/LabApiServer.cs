using System.Net;
using System.Text;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Hami.Lab.ApiServer;

/// <summary>A stand-in for kube-apiserver 1.36: the wire behaviour this project uses, on plain HTTP on loopback, in this process.</summary>
public sealed class LabApiServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ObjectStore _store;
    private readonly Gateway _gateway;
    private readonly CancellationTokenSource _stopping;
    private Task _expiry = Task.CompletedTask;

    private LabApiServer(WebApplication app, ObjectStore store, Gateway gateway, CancellationTokenSource stopping, LabFaults faults)
    {
        (_app, _store, _gateway, _stopping, Faults) = (app, store, gateway, stopping, faults);
        var addresses = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!;
        Address = new Uri(addresses.Addresses.Single());
    }

    /// <summary>Where it listens: <c>http://127.0.0.1:port/</c>.</summary>
    public Uri Address { get; }

    /// <summary>Delays and losses for tests.</summary>
    public LabFaults Faults { get; }

    /// <summary>The objects and their history, for whoever checks them from inside.</summary>
    internal ObjectStore Store => _store;

    /// <summary>The text of a kubeconfig file for kubectl and KubernetesClient.</summary>
    /// <remarks>kubectl sends no token over plain HTTP; KubernetesClient does, and takes no user without credentials.</remarks>
    public string Kubeconfig => $"""
        apiVersion: v1
        kind: Config
        clusters:
        - name: lab
          cluster:
            server: {Address.GetLeftPart(UriPartial.Authority)}
        users:
        - name: admin
          user:
            token: {Guard.AdminToken}
        contexts:
        - name: lab
          context:
            cluster: lab
            user: admin
            namespace: default
        current-context: lab

        """;

    /// <summary>Starts a server; what <see cref="LabApiServerOptions.StorePath"/> holds is there again, with its revision.</summary>
    public static async Task<LabApiServer> StartAsync(LabApiServerOptions options, CancellationToken cancellationToken)
    {
        var store = new ObjectStore(options.StorePath, options.HistoryWindow, options.Time);
        var faults = new LabFaults();
        var stopping = new CancellationTokenSource();
        var gateway = new Gateway(store, faults, options, stopping.Token);
        try
        {
            return await StartAsync(options.Port, store, gateway, stopping, faults, cancellationToken);
        }
        catch
        {
            gateway.Dispose();
            store.Dispose();
            stopping.Dispose();
            throw;
        }
    }

    private static async Task<LabApiServer> StartAsync(
        int port, ObjectStore store, Gateway gateway, CancellationTokenSource stopping, LabFaults faults, CancellationToken cancellationToken)
    {
        // The empty builder: no configuration files to watch, no logging, nothing a test would have to clean up.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // A warning quotes what a client wrote, and that need not be ASCII.
            kestrel.ResponseHeaderEncodingSelector = static _ => Encoding.UTF8;
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Listen(IPAddress.Loopback, port);
        });
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
        var app = builder.Build();
        app.Run(gateway.Handle);
        try
        {
            await gateway.Prepare();
            await app.StartAsync(cancellationToken);
            return new LabApiServer(app, store, gateway, stopping, faults) { _expiry = gateway.ExpireEvents() };
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    /// <summary>Forgets the history of changes, as etcd's compaction does: watches that resume from before answer 410 Gone.</summary>
    public void Compact() => _store.Compact();

    /// <summary>Ends all watches and stops listening. Everything that was answered is in the store.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _app.StopAsync(patience.Token);
        await _app.DisposeAsync();
        await _expiry;
        _gateway.Dispose();
        _store.Dispose();
        _stopping.Dispose();
    }
}
