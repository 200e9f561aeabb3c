using System.Net;
using System.Net.Sockets;

namespace Hami.Lab.Cluster;

/// <summary>Ports on this machine alone.</summary>
internal static class Loopback
{
    public const string Address = "127.0.0.1";

    // Below what Linux gives to whoever asks for any port (ip_local_port_range, 32768 on): between our choice and its use, hundreds of
    // kubelets and connections take such ports.
    private const int Lowest = 15_000;
    private const int Highest = 32_000;

    // Each port once, so that nobody is given one that another was given and has not opened yet; other processes begin far from here.
    private static uint _next = unchecked((uint)Environment.ProcessId * 521);

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
        while (true)
        {
            try
            {
                return Take(wanted != 0 ? wanted : Lowest + (int)(Interlocked.Increment(ref _next) % (Highest - Lowest)));
            }
            catch (SocketException)
            {
                wanted = 0;
            }
        }
    }

    private static int Take(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
