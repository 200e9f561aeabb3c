using System.Net.Sockets;
using Grpc.Net.Client;

namespace Hami.NodeAgent.Plumbing;

/// <summary>A gRPC channel over a unix socket; it dials again by itself after the other side has restarted.</summary>
internal static class UnixSocketChannel
{
    public static GrpcChannel To(string path) => GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions
    {
        // Pod-resources of a full node can be larger than gRPC's 4 MiB; the kubelet itself allows 16.
        MaxReceiveMessageSize = 16 << 20,
        DisposeHttpClient = true,
        HttpHandler = new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        },
    });
}
