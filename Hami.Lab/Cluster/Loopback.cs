using System.Net;
using System.Net.Sockets;

namespace Hami.Lab.Cluster;

/// <summary>Ports on this machine alone.</summary>
internal static class Loopback
{
    public const string Address = "127.0.0.1";

    /// <summary>The wanted port; throws a sentence when somebody has it.</summary>
    public static int ThisPort(int wanted)
    {
        try
        {
            return Take(wanted);
        }
        catch (SocketException e)
        {
            throw new InvalidOperationException($"Port {wanted} of this machine is taken, and the cluster's kube-scheduler was told to use it: free it, or choose another with --port here and in scheduler-config.", e);
        }
    }

    /// <summary>A port that was free a moment ago: the wanted one if it was.</summary>
    public static int FreePort(int wanted = 0)
    {
        try
        {
            return Take(wanted);
        }
        catch (SocketException) when (wanted != 0)
        {
            return Take(0);
        }
    }

    private static int Take(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
