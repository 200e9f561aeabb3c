using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Hami.NodeAgent.Plumbing;

/// <summary>Serves gRPC on one unix socket, for as long as the kubelet leaves that socket alone.</summary>
internal sealed class PluginListener : IAsyncDisposable
{
    // What makes a service out of a class.
    private const DynamicallyAccessedMemberTypes Grpc = DynamicallyAccessedMemberTypes.PublicConstructors | DynamicallyAccessedMemberTypes.PublicMethods | DynamicallyAccessedMemberTypes.NonPublicMethods;

    private static int opened;

    private readonly WebApplication app;
    private readonly CancellationTokenSource closing;
    private readonly string socket;
    private readonly (DateTime, DateTime) identity;

    private PluginListener(WebApplication app, CancellationTokenSource closing, string socket)
    {
        (this.app, this.closing, this.socket) = (app, closing, socket);
        identity = SocketFile.Identity(socket) ?? default;
    }

    /// <summary>Somebody removed our socket, as the kubelet does when it starts: nobody can reach us then.</summary>
    public bool Removed => SocketFile.Identity(socket) is null;

    /// <summary>A later copy of this program put its own socket in the place of ours.</summary>
    public bool Replaced => SocketFile.Identity(socket) is { } now && now != identity;

    /// <param name="endpoint">Makes the service; streams must end when the token is cancelled, or closing waits for them.</param>
    public static async Task<PluginListener> Open<[DynamicallyAccessedMembers(Grpc)] TService>(
        string socket, ILoggerFactory logs, Func<CancellationToken, TService> endpoint, CancellationToken cancellation)
        where TService : class
    {
        // Bound under another name and moved into place: a copy that served there until now sees itself replaced, and is not told
        // by a missing file to come back. The name is shorter than the socket's, whose length was checked.
        var unplaced = Path.Combine(Path.GetDirectoryName(socket)!, $".h{Environment.ProcessId}-{Interlocked.Increment(ref opened)}");
        File.Delete(unplaced);
        var end = new CancellationTokenSource();
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.ListenUnixSocket(unplaced, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.Use(next => connection => AnyAuthority.Serve(connection, next));
            });
            // A stream of ListAndWatch is silent for days.
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Limits.MaxRequestBodySize = 16 << 20;
        });
        builder.Services.AddSingleton(logs).AddSingleton(endpoint(end.Token)).AddRouting().AddGrpc();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
        // The agent's own host handles signals.
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        var web = builder.Build();
        web.MapGrpcService<TService>();
        try
        {
            await web.StartAsync(cancellation);
            File.Move(unplaced, socket, overwrite: true);
        }
        catch
        {
            await web.DisposeAsync();
            end.Dispose();
            throw;
        }
        return new(web, end, socket);
    }

    /// <summary>Ends all streams and takes the socket away, unless it is somebody else's by now.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!Removed && !Replaced)
            File.Delete(socket);
        await closing.CancelAsync();
        await app.StopAsync();
        await app.DisposeAsync();
        closing.Dispose();
    }
}

/// <summary>Tells one socket file from a later one of the same name.</summary>
internal static class SocketFile
{
    /// <summary>Null when there is none.</summary>
    public static (DateTime Born, DateTime Changed)? Identity(string path)
    {
        // .NET shows no inode number; a socket's times do not move after bind.
        var file = new FileInfo(path);
        return file.Exists ? (file.CreationTimeUtc, file.LastWriteTimeUtc) : null;
    }
}
