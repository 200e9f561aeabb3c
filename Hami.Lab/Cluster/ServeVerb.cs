using System.CommandLine;

namespace Hami.Lab.Cluster;

/// <summary><c>hami-lab serve</c>: the process behind <c>hami up</c>, until it is told to end.</summary>
internal static class ServeVerb
{
    /// <summary>Begins each line that tells <c>up</c> what is being waited for.</summary>
    public const string ProgressMark = "… ";

    public static Command Command()
    {
        var directory = LabOptions.DirectoryOption();
        var nodes = LabOptions.NodesOption();
        var mig = LabOptions.MigOption();
        var command = new Command("serve", "Run a cluster in the foreground; `up` starts this in the background.") { directory, nodes, mig };
        command.SetAction((parsed, ct) => RunAsync(new LabPaths(parsed.GetValue(directory)!), parsed.GetValue(nodes), parsed.GetValue(mig), ct));
        return command;
    }

    private static async Task<int> RunAsync(LabPaths paths, int? nodes, bool mig, CancellationToken ct)
    {
        paths.Create();
        using var mine = LabLock.TryTake(paths);
        if (mine is null)
        {
            await Console.Error.WriteLineAsync("Another lab runs on this directory.");
            return 1;
        }

        LabLock.Sign(paths);
        Orphans.Kill(paths);
        try
        {
            var last = LabState.Read(paths);
            await using var cluster = await LabCluster.StartAsync(
                new LabClusterOptions
                {
                    Directory = paths.Root,
                    Ports = last?.Ports ?? LabPorts.Any,
                    Nodes = mig || last is { Mig: true } ? [.. LabNode.Three, .. LabNode.WithMigCards] : LabNode.Three,
                    HollowNodes = LabNode.Beside(nodes ?? last?.Nodes ?? 0),
                    Progress = what => Console.WriteLine(ProgressMark + what),
                },
                ct);
            LabState.Of(cluster).Write(paths);
            await Task.Delay(Timeout.InfiniteTimeSpan, ct);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            return 0; // told to end, and everything has
        }
        catch (Exception e)
        {
            // `up` shows the last line of our output: the sentence.
            await Console.Error.WriteLineAsync(e.ToString());
            await Console.Error.WriteLineAsync(e.Message);
            return 1;
        }

        return 0;
    }
}
