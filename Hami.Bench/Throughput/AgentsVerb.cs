using System.CommandLine;
using Hami.Lab.Cluster;
using Hami.NodeAgent;
using Hami.NodeAgent.Plumbing;
using Hami.NodeAgent.Plumbing.Cluster;
using Hami.NodeAgent.Registering;
using Serilog;
using Serilog.Events;

namespace Hami.Bench.Throughput;

/// <summary><c>hami-bench agents FILE</c>: the node agents of many nodes in one process, as two hundred processes would not fit a small machine.</summary>
/// <remarks>Each is the agent as it ships, with its own client, watch, sockets and loops; they share the runtime and nothing else.</remarks>
internal static class AgentsVerb
{
    public static Command Command()
    {
        var file = new Argument<string>("file") { Description = "What each agent is started with, as the lab writes it." };
        var command = new Command("agents", "Serve many node agents in one process; for `throughput`.") { file };
        command.Hidden = true;
        command.SetAction((parsed, ct) => RunAsync(AgentOnNode.Read(parsed.GetValue(file)!), ct));
        return command;
    }

    private static async Task<int> RunAsync(IReadOnlyList<AgentOnNode> agents, CancellationToken ct)
    {
        await using var logger = new LoggerConfiguration()
            .MinimumLevel.Information()
            .MinimumLevel.Override("Microsoft", LogEventLevel.Warning)
            .MinimumLevel.Override("Grpc", LogEventLevel.Warning)
            .WriteTo.Console(outputTemplate: "{Timestamp:yyyy-MM-ddTHH:mm:ss.fffzzz} {Level:u3} {Message:lj}{NewLine}{Exception}")
            .CreateLogger();
        foreach (var agent in agents)
        {
            // Nobody loads it.
            Directory.CreateDirectory(Path.Combine(agent.HookPath, "vgpu"));
            await File.WriteAllTextAsync(Path.Combine(agent.HookPath, "vgpu", "libvgpu.so"), "", ct);
        }
        var hosts = agents.Select(agent => AgentHost.Build(
            new()
            {
                NodeName = agent.Node,
                DeviceFile = agent.DeviceFile,
                KubeletDir = agent.KubeletDirectory,
                HookPath = agent.HookPath,
                // Containers are pretended, thousands of them.
                Handing = new() { TakesRoom = false },
                Keys = TrustedKeys.Read([agent.SigningPublicKey]),
                // Two hundred would use up the inotify instances that this machine has for everybody.
                WatchesFolder = false,
            },
            DeviceFile.Read(agent.DeviceFile),
            ClusterAccess.Open(agent.Kubeconfig),
            logging => logging.AddSerilog(logger))).ToList();
        try
        {
            await Task.WhenAll(hosts.Select(host => host.StartAsync(ct)));
            await Task.Delay(Timeout.InfiniteTimeSpan, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await Task.WhenAll(hosts.Select(host => host.StopAsync(CancellationToken.None)));
        }
        finally
        {
            hosts.ForEach(host => host.Dispose());
        }
        return 0;
    }
}
