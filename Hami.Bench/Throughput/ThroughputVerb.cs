using System.CommandLine;
using System.Diagnostics;
using Hami.Lab.Cluster;
using Hami.Lab.Hollow;

namespace Hami.Bench.Throughput;

/// <summary>What is measured.</summary>
/// <param name="WarmUp">Pods that run before the measured ones and are not counted.</param>
/// <param name="Clients">Pods that the client sends at once.</param>
/// <param name="Policy">The pods' node policy: <c>binpack</c>, HAMi's default, fills node after node, <c>spread</c> all of them evenly.</param>
internal sealed record ThroughputOptions(int Nodes, int Devices, int Pods, int WarmUp, int Clients, string Policy);

/// <summary><c>hami bench throughput</c>: how long many pods take from their creation to their running, end to end.</summary>
internal static class ThroughputVerb
{
    private const string Memory = "/dev/shm";

    public static Command Command()
    {
        var nodes = Numbers.Option("--nodes", "Nodes, each with a node agent.", 200, 1, 1000);
        var devices = Numbers.Option("--devices", "Cards of each node.", 8, 1, 64);
        var pods = Numbers.Option("--pods", "Pods, each with one share of a card.", 1600, 1, 100_000);
        var warmUp = Numbers.Option("--warm-up", "Pods that run before, uncounted; 0 measures programs that have just started, half of whose work is to be compiled.", 400, 0, 10_000);
        var clients = Numbers.Option("--clients", "Pods that the client sends at once.", 16, 1, 256);
        var policy = new Option<string>("--policy") { Description = "The pods' node policy: binpack fills node after node, spread all of them evenly.", DefaultValueFactory = _ => "binpack" };
        policy.AcceptOnlyFromAmong("binpack", "spread");
        var json = new Option<bool>("--json") { Description = "Print one line of JSON." };
        var keep = new Option<bool>("--keep") { Description = "Keep the logs and data of the cluster." };
        var command = new Command("throughput", "Pods admitted, placed, bound and attached end to end in the lab; containers are pretended, everything else is real.")
        {
            nodes, devices, pods, warmUp, clients, policy, json, keep,
        };
        command.SetAction((parsed, ct) => IsAsTheLabWants ? RunAsync(
                new(parsed.GetValue(nodes), parsed.GetValue(devices), parsed.GetValue(pods), parsed.GetValue(warmUp), parsed.GetValue(clients), parsed.GetValue(policy)!),
                parsed.GetValue(json),
                parsed.GetValue(keep),
                ct)
            : AgainAsync(parsed));
        return command;
    }

    // The lab's servers run in this process, and how the runtime serves them is decided when a process starts.
    private static bool IsAsTheLabWants => BuiltPrograms.Environment.All(variable => Environment.GetEnvironmentVariable(variable.Key) is not null);

    private static async Task<int> AgainAsync(ParseResult parsed)
    {
        var words = BuiltPrograms.Command("Hami.Bench", "hami-bench").Concat(parsed.Tokens.Select(token => token.Value)).ToList();
        var start = new ProcessStartInfo(words[0], words.Skip(1));
        foreach (var (variable, value) in BuiltPrograms.Environment)
            start.Environment[variable] = value;
        using var again = Process.Start(start) ?? throw new InvalidOperationException($"{words[0]} did not start.");
        await again.WaitForExitAsync();
        return again.ExitCode;
    }

    private static async Task<int> RunAsync(ThroughputOptions options, bool json, bool keep, CancellationToken ct)
    {
        var since = Stopwatch.StartNew();
        var directory = Directory.CreateTempSubdirectory("hami-").FullName;
        // Root's PostgreSQL runs as another user, who must reach its data below.
        File.SetUnixFileMode(directory, File.GetUnixFileMode(directory) | UnixFileMode.OtherExecute);
        // What two hundred nodes write at once would go to as many disks.
        var paths = new LabPaths(directory, Directory.Exists(Memory) ? Path.Combine(Memory, Path.GetFileName(directory)) : null);
        paths.Create();
        try
        {
            var report = await MeasureAsync(options, paths, what => Console.Error.WriteLine($"[{since.Elapsed.TotalSeconds,5:F1} s] {what}"), ct);
            if (json)
                Console.WriteLine(report.ToJson());
            else
                report.Print(Consoles.Out);
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            await File.AppendAllTextAsync(paths.Log("throughput"), e.ToString(), CancellationToken.None);
            await Console.Error.WriteLineAsync(e.Message);
            await Console.Error.WriteLineAsync($"The logs are kept in {paths.PurgeAllButLogs()}.");
            return 1;
        }
        catch
        {
            paths.Purge();
            throw;
        }
        if (keep)
            await Console.Error.WriteLineAsync($"Data and logs are kept in {paths.Root}.");
        else
            paths.Purge();
        return 0;
    }

    private static async Task<ThroughputReport> MeasureAsync(ThroughputOptions options, LabPaths paths, Action<string> progress, CancellationToken ct)
    {
        await using var cluster = await LabCluster.StartAsync(
            new()
            {
                Directory = paths.Root,
                NodesDirectory = paths.Nodes,
                Nodes = HollowNodesOptions.Alike("bench", options.Nodes, options.Devices),
                PretendsContainers = true,
                AgentsProgram = [.. BuiltPrograms.Command("Hami.Bench", "hami-bench"), "agents"],
                Progress = progress,
            },
            ct);
        progress($"{options.Pods} pods");
        return await new ThroughputRun(cluster, options, TimeProvider.System).MeasureAsync(ct);
    }
}
