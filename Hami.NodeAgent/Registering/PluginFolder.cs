using Hami.NodeAgent.Plumbing;

namespace Hami.NodeAgent.Registering;

/// <summary>Tells what comes to and goes from the kubelet's folder of sockets: one watch of inotify for all resources, of which a user has few.</summary>
internal sealed partial class PluginFolder(AgentOptions options, ILogger<PluginFolder> log) : IDisposable
{
    private readonly Lock gate = new();
    private FileSystemWatcher? watcher;
    private bool unwatchable;

    /// <summary>The name of a file that came or went; null when some may have been missed.</summary>
    public event Action<string?>? Changed;

    /// <summary>Begins to watch as soon as the folder is there.</summary>
    public void Watch()
    {
        lock (gate)
        {
            if (watcher is not null || unwatchable || !options.WatchesFolder || !Directory.Exists(options.PluginDir))
                return;
            watcher = new FileSystemWatcher(options.PluginDir) { NotifyFilter = NotifyFilters.FileName };
            watcher.Created += (_, e) => Changed?.Invoke(e.Name);
            watcher.Deleted += (_, e) => Changed?.Invoke(e.Name);
            watcher.Renamed += (_, e) => Changed?.Invoke(e.Name);
            watcher.Error += (_, _) => Changed?.Invoke(null);
            try
            {
                watcher.EnableRaisingEvents = true;
            }
            catch (IOException e)
            {
                // The user's inotify instances are used up. The slow look finds the same, a second later.
                LogUnwatchable(options.PluginDir, e.Message);
                watcher.Dispose();
                watcher = null;
                unwatchable = true;
            }
        }
    }

    public void Dispose() => watcher?.Dispose();

    [LoggerMessage(LogLevel.Warning, "{Folder} cannot be watched ({Reason}); it is looked at every second instead")]
    private partial void LogUnwatchable(string folder, string reason);
}
