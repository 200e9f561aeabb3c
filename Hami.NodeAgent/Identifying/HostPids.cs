using System.Buffers.Binary;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Hami.NodeAgent.Plumbing;

namespace Hami.NodeAgent.Identifying;

/// <summary>
/// Tells a process in a container by which pid the node knows it, as NVML lists it. It connects to a unix socket, and the kernel says
/// who that is (<c>SO_PEERCRED</c>), translated into our pid namespace: so the agent must run in the node's (<c>hostPID</c>).
/// </summary>
internal sealed partial class HostPids(AgentOptions options, TimeProvider time, ILogger<HostPids> log) : BackgroundService
{
    private const int Waiting = 512; // containers may start together
    private const int SolSocket = 1, SoPeerCredentials = 17; // socket(7)

    private const UnixFileMode ReadAll =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private const UnixFileMode ConnectAll =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(ServeAsync, time, log, stoppingToken);

    private async Task ServeAsync(CancellationToken stopping)
    {
        using var listener = Listen(options.AgentSocket);
        LogServing(options.AgentSocket);
        try
        {
            while (true)
            {
                using var caller = await listener.AcceptAsync(stopping);
                Answer(caller);
            }
        }
        finally
        {
            File.Delete(options.AgentSocket);
        }
    }

    /// <summary>The folder is mounted into containers, not the socket, so that they find the one of an agent that has started anew.</summary>
    private static Socket Listen(string path)
    {
        var folder = Path.GetDirectoryName(path)!;
        Directory.CreateDirectory(folder);
        File.SetUnixFileMode(folder, ReadAll);
        File.Delete(path);
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            listener.Bind(new UnixDomainSocketEndPoint(path));
            File.SetUnixFileMode(path, ConnectAll);
            listener.Listen(Waiting);
            return listener;
        }
        catch
        {
            listener.Dispose();
            throw;
        }
    }

    // One short line into an empty buffer: it never waits for the caller, who may be anybody.
    private void Answer(Socket caller)
    {
        try
        {
            Span<byte> credentials = stackalloc byte[12]; // struct ucred: pid, uid, gid
            caller.GetRawSocketOption(SolSocket, SoPeerCredentials, credentials);
            var pid = BinaryPrimitives.ReadInt32LittleEndian(credentials);
            caller.Blocking = false;
            caller.Send(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"pid {pid}\n")));
        }
        catch (SocketException e)
        {
            LogGone(e.Message);
        }
    }

    [LoggerMessage(LogLevel.Information, "Processes in containers learn their pid on this node at {Socket}")]
    private partial void LogServing(string socket);

    [LoggerMessage(LogLevel.Debug, "A process asked for its pid and did not wait for the answer: {Reason}")]
    private partial void LogGone(string reason);
}
