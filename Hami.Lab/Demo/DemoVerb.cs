using System.CommandLine;
using System.Diagnostics;
using Hami.Lab.Cluster;

namespace Hami.Lab.Demo;

/// <summary><c>hami demo</c>: the article's workloads on a cluster that is gone afterwards.</summary>
internal static class DemoVerb
{
    public static Command Command()
    {
        var json = LabOptions.JsonOption();
        var keep = new Option<bool>("--keep") { Description = "Keep the data and the logs of the cluster." };
        var command = new Command("demo", "Run the article's workloads on a cluster of simulated GPUs and check what each saw.") { json, keep };
        command.SetAction((parsed, ct) => RunAsync(parsed.GetValue(json), parsed.GetValue(keep), ct));
        return command;
    }

    private static async Task<int> RunAsync(bool json, bool keep, CancellationToken ct)
    {
        var since = Stopwatch.StartNew();
        var directory = Directory.CreateTempSubdirectory("hami-").FullName;
        // Root's PostgreSQL runs as another user, who must reach its data below.
        File.SetUnixFileMode(directory, File.GetUnixFileMode(directory) | UnixFileMode.OtherExecute);
        var paths = new LabPaths(directory);

        var report = await TryAsync(paths, since, what => Console.Error.WriteLine($"[{since.Elapsed.TotalSeconds,5:F1} s] {what}"), ct);

        if (json)
            Console.WriteLine(report.ToJson());
        else
            DemoTable.Print(Consoles.Out, report);
        if (keep)
            await Console.Error.WriteLineAsync($"Data and logs are kept in {paths.Root}.");
        else if (report.Ok)
            paths.Purge();
        else
            await Console.Error.WriteLineAsync($"{report.Reason ?? "A workload is not as expected."} The logs are kept in {paths.PurgeAllButLogs()}.");
        return report.Ok ? 0 : 1;
    }

    // The cluster is stopped before the report leaves: what we print last is true.
    private static async Task<DemoReport> TryAsync(LabPaths paths, Stopwatch since, Action<string> progress, CancellationToken ct)
    {
        try
        {
            await using var cluster = await LabCluster.StartAsync(new LabClusterOptions { Directory = paths.Root, Progress = progress }, ct);
            return await new DemoRun(cluster, progress).RunAsync(since, ct);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            return Failed("It was interrupted.");
        }
        catch (Exception e)
        {
            // Whatever it was, its user gets a sentence and the logs get the rest.
            await File.AppendAllTextAsync(paths.Log("demo"), e.ToString(), CancellationToken.None);
            return Failed(e.Message);
        }

        DemoReport Failed(string reason) => new(Ok: false, Math.Round(since.Elapsed.TotalSeconds, 1), [], EventCount: 0) { Reason = reason };
    }
}
