using System.CommandLine;
using System.Globalization;
using Hami.Bench.Throughput;
using Hami.Lab.Cluster;
using Hami.Lab.Hollow;

namespace Hami.Bench.Agent;

/// <summary>What a node agent takes of its node.</summary>
/// <param name="StartMiB">Resident memory before there was a pod.</param>
/// <param name="RssMiB">The same when all containers have been watched for a while.</param>
/// <param name="IdleCpuPercent">Of one core, while nothing happens but looks at cards and containers.</param>
/// <param name="ReadyMs">From the start of its process, after a kill, until the kubelet knew it again.</param>
internal sealed record AgentReport(int Cards, int Containers, double StartMiB, double RssMiB, double IdleCpuPercent, double ReadyMs);

/// <summary><c>hami bench agent</c>: memory, processor time and start of one node agent, as it ships, in the lab.</summary>
internal static class AgentVerb
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static Command Command()
    {
        var cards = Numbers.Option("--cards", "Cards of the node.", 8, 1, 16);
        var containers = Numbers.Option("--containers", "Containers with a share of a card each.", 80, 1, 160);
        var seconds = Numbers.Option("--seconds", "How long it is watched idle.", 30, 5, 600);
        var json = new Option<bool>("--json") { Description = "Print one line of JSON." };
        var command = new Command("agent", "Memory, processor time and start of one node agent; containers are pretended, everything else is real.") { cards, containers, seconds, json };
        command.SetAction(async (parsed, ct) => Printing.Print(
            await MeasureAsync(parsed.GetValue(cards), parsed.GetValue(containers), TimeSpan.FromSeconds(parsed.GetValue(seconds)), ct), parsed.GetValue(json), Show));
        return command;
    }

    private static async Task<AgentReport> MeasureAsync(int cards, int containers, TimeSpan idle, CancellationToken ct)
    {
        var directory = Directory.CreateTempSubdirectory("hami-").FullName;
        File.SetUnixFileMode(directory, File.GetUnixFileMode(directory) | UnixFileMode.OtherExecute);
        var paths = new LabPaths(directory);
        paths.Create();
        try
        {
            var nodes = HollowNodesOptions.Alike("bench", 1, cards, memoryMiB: 10 * 10240);
            var node = nodes[0].Name;
            await using var cluster = await LabCluster.StartAsync(new() { Directory = paths.Root, Nodes = nodes, PretendsContainers = true, Progress = Console.Error.WriteLine }, ct);
            var start = ResidentMiB(Agent());
            await new ThroughputRun(cluster, new(1, cards, containers, WarmUp: 0, Clients: 4, "binpack"), TimeProvider.System).MeasureAsync(ct);
            await Task.Delay(TimeSpan.FromSeconds(10), ct);
            var before = ProcessorTime.Of(Agent());
            await Task.Delay(idle, ct);
            var cpu = (ProcessorTime.Of(Agent()) - before) / idle.TotalSeconds;
            var rss = ResidentMiB(Agent());
            return new(cards, containers, start, rss, Math.Round(100 * cpu, 2), await RestartAsync(cluster, paths, node, ct));

            int Agent() => cluster.AgentProcessId(node) ?? throw new InvalidOperationException($"The agent of {node} is not running; its log is in {paths.Logs}.");
        }
        finally
        {
            paths.Purge();
        }
    }

    private static async Task<double> RestartAsync(LabCluster cluster, LabPaths paths, string node, CancellationToken ct)
    {
        const string known = "The kubelet knows";
        var log = Directory.EnumerateFiles(paths.Logs, "hami-node-agent-*").Single();
        var (old, lines) = (cluster.AgentProcessId(node), Count());
        await cluster.KillAgentAsync(node);
        await UntilAsync(() => cluster.AgentProcessId(node) is { } id && id != old);
        var began = TimeProvider.System.GetTimestamp();
        await UntilAsync(() => Count() > lines);
        return Math.Round(TimeProvider.System.GetElapsedTime(began).TotalMilliseconds);

        int Count() => File.ReadLines(log).Count(line => line.Contains(known, StringComparison.Ordinal));

        async Task UntilAsync(Func<bool> done)
        {
            for (var since = TimeProvider.System.GetTimestamp(); !done(); await Task.Delay(5, ct))
                if (TimeProvider.System.GetElapsedTime(since) > Patience)
                    throw new TimeoutException($"The agent did not come back within {Patience.TotalSeconds} s.");
        }
    }

    // proc_pid_status(5), VmRSS in KiB.
    private static double ResidentMiB(int processId)
    {
        var line = File.ReadLines($"/proc/{processId}/status").Single(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return Math.Round(double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024, 1);
    }

    private static void Show(AgentReport report) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{report.Cards} cards, {report.Containers} containers: {report.RssMiB} MiB resident ({report.StartMiB} before the first pod), {report.IdleCpuPercent} % of a core idle, ready {report.ReadyMs} ms after its start"));
}
