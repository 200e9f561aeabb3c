using System.Net.Sockets;
using System.Text.Json;
using Grpc.Core;
using Hami.NodeAgent.Plumbing.Cluster;

namespace Hami.NodeAgent.Plumbing;

/// <summary>Tells what may pass by itself (the API server or the kubelet is away) from a bug.</summary>
internal static class Outage
{
    public static bool Is(Exception e, CancellationToken stopping) =>
        !stopping.IsCancellationRequested
        && e is ApiServerException or HttpRequestException or OperationCanceledException
            or RpcException or IOException or SocketException or JsonException or TimeoutException or UnauthorizedAccessException;

    /// <summary>What to say of it in a log: gRPC's own message is a page.</summary>
    public static string Reason(Exception e) => e is RpcException grpc ? $"{grpc.StatusCode}: {grpc.Status.Detail}" : e.Message;

    /// <summary>The n-th wait after <paramref name="first"/>, doubled each time, up to <paramref name="most"/>.</summary>
    public static TimeSpan BackOff(int n, TimeSpan first, TimeSpan most) =>
        TimeSpan.FromTicks((long)Math.Min(most.Ticks, first.Ticks * Math.Pow(2, Math.Min(n, 40))));
}
