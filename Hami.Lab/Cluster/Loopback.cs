using System.Net;
using System.Net.Sockets;

namespace Hami.Lab.Cluster;

/// <summary>Ports on this machine alone.</summary>
internal static class Loopback
{
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
