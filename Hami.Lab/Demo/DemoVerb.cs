using System.CommandLine;
using System.Diagnostics;
using Hami.Lab.Cluster;
using k8s;
using k8s.Autorest;

namespace Hami.Lab.Demo;

/// <summary><c>hami demo</c>: the article's workloads on a cluster that is gone afterwards.</summary>
internal static class DemoVerb
{
    // As shells report a process that Ctrl+C ended.
    private const int Interrupted = 130;

    /// <summary>The lab's three, and two whose cards are in MIG mode.</summary>
    internal static IReadOnlyList<LabNode> Nodes { get; } = [.. LabNode.Three, .. LabNode.WithMigCards];

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
        paths.Create();

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
            await Console.Error.WriteLineAsync($"The logs are kept in {paths.PurgeAllButLogs()}.");
        return report.Ok ? 0 : 1;
    }

    private static async Task<DemoReport> TryAsync(ExistingCluster? existing, LabPaths paths, Stopwatch since, Action<string> progress, CancellationToken ct)
    {
        try
        {
            if (existing is null)
                return await RunAsync(new LabClusterOptions { Directory = paths.Root, Nodes = Nodes, Progress = progress }, since, ct);
            // Asked before anything is made: a kubeconfig that leads nowhere ends here.
            using var kubernetes = await ExistingGround.ClientOf(existing.Kubeconfig, ct);
            DemoReport report;
            try
            {
                report = await RunAsync(new LabClusterOptions { Directory = paths.Root, Nodes = Nodes, Existing = existing, Progress = progress }, since, ct);
            }
            catch (Exception e)
            {
                report = await FailedAsync(e);
            }

            return await LeaveAsync(kubernetes, paths, progress) is { } left
                ? report with { Ok = false, Reason = report.Reason is { } reason ? $"{reason} {left}" : left }
                : report;
        }
        catch (Exception e)
        {
            return await FailedAsync(e);
        }

        // Whatever it was, its user gets a sentence and the logs get the rest.
        async Task<DemoReport> FailedAsync(Exception e)
        {
            if (e is OperationCanceledException && ct.IsCancellationRequested)
                return Failed("It was interrupted.");
            await File.AppendAllTextAsync(paths.Log("demo"), e.ToString(), CancellationToken.None);
            return Failed(e.Message);
        }

        DemoReport Failed(string reason) => new(Ok: false, Math.Round(since.Elapsed.TotalSeconds, 1), [], EventCount: 0) { Reason = reason };
    }

    // The cluster is stopped before the report leaves: what we print last is true.
    private static async Task<DemoReport> RunAsync(LabClusterOptions options, Stopwatch since, CancellationToken ct)
    {
        await using var cluster = await LabCluster.StartAsync(options, ct);
        return await new DemoRun(cluster, options.Progress).RunAsync(since, ct);
    }

    // Also after Ctrl+C: what we made in somebody else's cluster goes with us. Returns a sentence when it does not.
    private static async Task<string?> LeaveAsync(IKubernetes kubernetes, LabPaths paths, Action<string> progress)
    {
        progress("Removing everything that was made in the cluster");
        try
        {
            foreach (var removed in await Footprint.Of(paths).RemoveAsync(kubernetes, CancellationToken.None))
                progress($"  {removed}");
            return null;
        }
        catch (Exception e) when (e is HttpOperationException or HttpRequestException or TimeoutException)
        {
            return $"Something of the lab is left in the cluster; ./hami down --kubeconfig FILE removes it: {e.Message}";
        }
    }
}
