using System.Net.Sockets;
using System.Text;
using Hami.NodeAgent.Identifying;
using Hami.NodeAgent.Plumbing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hami.Tests.Allocating;

/// <summary>A process in a container asks the agent by which pid the node knows it.</summary>
public sealed class AskingForThePid : IDisposable
{
    private readonly DirectoryInfo _hook = Directory.CreateTempSubdirectory("hami-test-");

    private AgentOptions Options => NodePods.Options() with { HookPath = _hook.FullName };

    [Fact]
    public async Task Whoever_connects_is_told_the_pid_that_the_kernel_says()
    {
        using var pids = await StartedAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => AskedAsync()));
        Assert.All(answers, answer => Assert.Equal($"pid {Environment.ProcessId}\n", answer));
        await pids.StopAsync(TestContext.Current.CancellationToken);
        Assert.False(File.Exists(Options.AgentSocket));
    }

    [Fact]
    public async Task One_who_leaves_at_once_or_never_reads_holds_up_nobody()
    {
        using var pids = await StartedAsync();
        using var silent = await ConnectedAsync();
        for (var i = 0; i < 50; i++)
            (await ConnectedAsync()).Close(0);
        Assert.Equal($"pid {Environment.ProcessId}\n", await AskedAsync());
    }

    [Fact]
    public async Task Every_user_of_a_container_may_ask_and_none_may_put_a_socket_of_his_own_there()
    {
        using var pids = await StartedAsync();
        await AskedAsync();
        Assert.Equal(UnixFileMode.OtherRead | UnixFileMode.OtherWrite, File.GetUnixFileMode(Options.AgentSocket) & (UnixFileMode)7);
        Assert.Equal(UnixFileMode.OtherRead | UnixFileMode.OtherExecute, File.GetUnixFileMode(Options.AgentDir) & (UnixFileMode)7);
    }

    [Fact]
    public async Task An_agent_that_starts_anew_takes_the_place_of_a_socket_left_behind()
    {
        Directory.CreateDirectory(Options.AgentDir);
        using (var left = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
            left.Bind(new UnixDomainSocketEndPoint(Options.AgentSocket));
        using var pids = await StartedAsync();
        Assert.Equal($"pid {Environment.ProcessId}\n", await AskedAsync());
    }

    public void Dispose() => _hook.Delete(recursive: true);

    private async Task<HostPids> StartedAsync()
    {
        var pids = new HostPids(Options, TimeProvider.System, NullLogger<HostPids>.Instance);
        await pids.StartAsync(TestContext.Current.CancellationToken);
        return pids;
    }

    private async Task<Socket> ConnectedAsync()
    {
        for (var i = 0; ; i++)
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(Options.AgentSocket), TestContext.Current.CancellationToken);
                return socket;
            }
            catch (SocketException) when (i < 600) // it begins to listen in the background
            {
                socket.Dispose();
                await Task.Delay(50, TestContext.Current.CancellationToken);
            }
        }
    }

    private async Task<string> AskedAsync()
    {
        using var socket = await ConnectedAsync();
        await using var stream = new NetworkStream(socket);
        using var reader = new StreamReader(stream, Encoding.ASCII);
        return await reader.ReadToEndAsync(TestContext.Current.CancellationToken);
    }
}
