using System.CommandLine;
using System.Diagnostics;
using Hami.Lab.Cluster;

namespace Hami.Lab.Demo;

/// <summary><c>hami demo</c>: the article's workloads on a cluster that is gone afterwards.</summary>
internal static class DemoVerb
{
    // As shells report a process that Ctrl+C ended.
    private const int Interrupted = 130;

    public static Command Command()
    {
        var json = LabOptions.JsonOption();
        var keep = new Option<bool>("--keep") { Description = "Keep the data and the logs of the cluster." };
        var existing = new ExistingOptions();
        var command = new Command("demo", "Run the article's workloads on a cluster of simulated GPUs and check what each saw.") { json, keep };
        existing.AddTo(command);
        command.SetAction((parsed, ct) => RunAsync(existing.Read(parsed), parsed.GetValue(json), parsed.GetValue(keep), ct));
        return command;
    }

    private static async Task<int> RunAsync(ExistingCluster? existing, bool json, bool keep, CancellationToken ct)
    {
        var since = Stopwatch.StartNew();
        var directory = Directory.CreateTempSubdirectory("hami-").FullName;
        // Root's PostgreSQL runs as another user, who must reach its data below.
        File.SetUnixFileMode(directory, File.GetUnixFileMode(directory) | UnixFileMode.OtherExecute);
        var paths = new LabPaths(directory);

        var report = await TryAsync(existing, paths, since, what => Console.Error.WriteLine($"[{since.Elapsed.TotalSeconds,5:F1} s] {what}"), ct);

        if (json)
            Console.WriteLine(report.ToJson());
        else
            DemoTable.Print(Consoles.Out, report);
        if (ct.IsCancellationRequested)
        {
            paths.Purge();
            return Interrupted;
        }

        if (keep)
            await Console.Error.WriteLineAsync($"Data and logs are kept in {paths.Root}.");
        else if (report.Ok)
            paths.Purge();
        else
            await Console.Error.WriteLineAsync($"{report.Reason ?? "A workload is not as expected."} The logs are kept in {paths.PurgeAllButLogs()}.");
        return report.Ok ? 0 : 1;
    }

    // The cluster is stopped before the report leaves: what we print last is true.
    private static async Task<DemoReport> TryAsync(ExistingCluster? existing, LabPaths paths, Stopwatch since, Action<string> progress, CancellationToken ct)
    {
        try
        {
            var options = new LabClusterOptions { Directory = paths.Root, Existing = existing, Progress = progress };
            try
            {
                await using var cluster = await LabCluster.StartAsync(options, ct);
                return await new DemoRun(cluster, progress).RunAsync(since, ct);
            }
            finally
            {
                if (existing is not null)
                    await LeaveAsync(existing, paths, progress);
            }
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

    // Also after Ctrl+C: what we made in somebody else's cluster goes with us.
    private static async Task LeaveAsync(ExistingCluster existing, LabPaths paths, Action<string> progress)
    {
        progress("Removing everything that was made in the cluster");
        using var kubernetes = await ExistingGround.ClientOf(existing.Kubeconfig, CancellationToken.None);
        foreach (var removed in await Footprint.Of(paths).RemoveAsync(kubernetes, CancellationToken.None))
            progress($"  {removed}");
    }
}
