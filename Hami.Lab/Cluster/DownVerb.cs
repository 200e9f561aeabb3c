using System.CommandLine;

namespace Hami.Lab.Cluster;

/// <summary><c>hami down</c>: stops what <c>up</c> started.</summary>
internal static class DownVerb
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static Command Command()
    {
        var directory = LabOptions.DirectoryOption();
        var purge = new Option<bool>("--purge") { Description = "Remove the data as well." };
        var kubeconfig = new Option<string?>("--kubeconfig")
        {
            Description = "Instead: remove from this existing cluster what a `demo --kubeconfig` left there when it was killed; one that still runs loses it too.",
        };
        var command = new Command("down", "Stop the cluster; its data stays for the next `up`.") { directory, purge, kubeconfig };
        command.SetAction((parsed, ct) => parsed.GetValue(kubeconfig) is { } file
            ? RemoveAsync(file, ct)
            : RunAsync(new LabPaths(parsed.GetValue(directory)!), parsed.GetValue(purge), ct));
        return command;
    }

    private static async Task<int> RemoveAsync(string kubeconfig, CancellationToken ct)
    {
        try
        {
            using var kubernetes = await ExistingGround.ClientOf(kubeconfig, ct);
            var removed = await Footprint.RemoveAllAsync(kubernetes, ct);
            await Console.Error.WriteLineAsync(removed.Count == 0 ? "Nothing of a lab is there." : $"Removed {string.Join(", ", removed)}.");
            return 0;
        }
        catch (Exception e) when (e is InvalidOperationException or TimeoutException or k8s.Autorest.HttpOperationException)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return 1;
        }
    }

    private static async Task<int> RunAsync(LabPaths paths, bool purge, CancellationToken ct)
    {
        var stopped = await StopAsync(paths, ct);
        if (purge)
        {
            Orphans.Kill(paths);
            paths.Purge();
        }

        await Console.Error.WriteLineAsync((stopped, purge) switch
        {
            (true, true) => "Stopped, and its data is removed.",
            (true, false) => "Stopped; `./hami up` continues where it was.",
            (false, true) => "No cluster was running; its data is removed.",
            (false, false) => "No cluster is running.",
        });
        return 0;
    }

    private static async Task<bool> StopAsync(LabPaths paths, CancellationToken ct)
    {
        if (!LabLock.IsHeld(paths))
            return false;
        var id = LabLock.HolderOf(paths);
        Signals.Send(id, Signals.Terminate);
        var since = TimeProvider.System.GetTimestamp();
        while (LabLock.IsHeld(paths))
        {
            if (TimeProvider.System.GetElapsedTime(since) > Patience)
                Signals.Send(id, Signals.Kill); // the kernel then ends its children
            await Task.Delay(50, ct);
        }

        return true;
    }
}
