using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace Hami.Tests.Crashing;

/// <summary>A TCP proxy between a process and PostgreSQL.</summary>
/// <remarks>
/// What the driver sends at once is one message: a driver waits for the answer before it sends on. A reply is lost only once its first
/// byte is here, so what was asked has been done.
/// </remarks>
internal sealed class PostgresWire : Wire, IAsyncDisposable
{
    // Longer than PostgreSQL lets a session wait that holds the writers' lock.
    private static readonly TimeSpan LongestHang = TimeSpan.FromSeconds(15);

    private static readonly Fault[] Usual = [Fault.Delay, Fault.LoseRequest, Fault.LoseReply, Fault.CutReply];

    private readonly NpgsqlConnectionStringBuilder _server;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<Link, bool> _links = new();
    private readonly Task _accepting;

    public PostgresWire(string connectionString) : base(Usual)
    {
        _server = new(connectionString);
        _listener.Start();
        ConnectionString = new NpgsqlConnectionStringBuilder(connectionString)
        {
            Host = "127.0.0.1", Port = ((IPEndPoint)_listener.LocalEndpoint).Port,
        }.ConnectionString;
        _accepting = AcceptAsync();
    }

    /// <summary>Leads through this wire.</summary>
    public string ConnectionString { get; }

    public override void Cut()
    {
        base.Cut();
        _listener.Stop();
        foreach (var link in _links.Keys)
            link.Break();
    }

    public async ValueTask DisposeAsync()
    {
        Cut();
        await _accepting;
        _listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = ServeAsync(await _listener.AcceptSocketAsync(Down));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // Cut; a listener that is stopped between two calls is not listening.
        }
    }

    private async Task ServeAsync(Socket client)
    {
        var link = new Link(client, new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
        _links[link] = true;
        try
        {
            await link.Server.ConnectAsync(_server.Host!, _server.Port, Down);
            await Task.WhenAll(AsksAsync(link), AnswersAsync(link));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Broken, by us or by either end.
        }
        finally
        {
            _links.TryRemove(link, out _);
            link.Break();
        }
    }

    private async Task AsksAsync(Link link)
    {
        var bytes = new byte[1 << 16];
        while (await link.Client.ReceiveAsync(bytes) is > 0 and var length)
        {
            var fate = Next();
            if (fate.Fault is Fault.LoseRequest)
            {
                Lose(link, fate);
                return;
            }
            if (fate.Fault is Fault.Hang)
            {
                link.Client.Close(0);
                await Task.Delay(LongestHang, Down);
                return;
            }
            if (fate.Fault is Fault.Delay)
                await Task.Delay(fate.Late, Down);
            if (fate.Fault is Fault.LoseReply or Fault.CutReply)
                link.Reply = fate;
            await SendAsync(link.Server, bytes.AsMemory(0, length));
        }
        link.Server.Shutdown(SocketShutdown.Send);
    }

    private async Task AnswersAsync(Link link)
    {
        var bytes = new byte[1 << 16];
        while (await link.Server.ReceiveAsync(bytes) is > 0 and var length)
        {
            if (link.Reply is { } fate)
            {
                if (fate.Fault is Fault.CutReply)
                    await SendAsync(link.Client, bytes.AsMemory(0, (int)(fate.Detail % length)));
                Lose(link, fate);
                return;
            }
            await SendAsync(link.Client, bytes.AsMemory(0, length));
        }
        link.Break();
    }

    private void Lose(Link link, Fate fate)
    {
        link.Break();
        if (fate.Ends)
            OnEnd();
    }

    private static async Task SendAsync(Socket to, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
            bytes = bytes[await to.SendAsync(bytes)..];
    }

    private sealed class Link
    {
        private volatile object? _reply;

        public Link(Socket client, Socket server)
        {
            (Client, Server) = (client, server);
            client.NoDelay = true;
        }

        public Socket Client { get; }

        public Socket Server { get; }

        /// <summary>What becomes of the next answer.</summary>
        public Fate? Reply
        {
            get => (Fate?)_reply;
            set => _reply = value;
        }

        /// <summary>At once and for both, without a word.</summary>
        public void Break()
        {
            Client.Close(0);
            Server.Close(0);
        }
    }
}
