using Hami.NodeAgent.Plumbing;

namespace Hami.NodeAgent.Installing;

/// <summary>Where the kubelet's kept answers still lead; null while that cannot be told.</summary>
internal delegate IReadOnlySet<string>? KeptMounts();

/// <summary>
/// Removes libraries of earlier versions from the node's folder. A container has its own name for the library it was given, and a program
/// that runs has it mapped; what must stay is what a container of an earlier agent would be started with again, and today's.
/// </summary>
internal sealed partial class OldLibraries(AgentOptions options, KeptMounts kept, TimeProvider time, ILogger<OldLibraries> log) : BackgroundService
{
    // During a rollout the agent of the earlier version still hands out its own.
    private static readonly TimeSpan Period = TimeSpan.FromHours(1);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(Sweep, time, log, stoppingToken);

    private async Task Sweep(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(Period, time);
        while (await timer.WaitForNextTickAsync(stopping))
            Once();
    }

    internal void Once()
    {
        try
        {
            if (!Directory.Exists(options.VgpuDir) || kept() is not { } mounts)
                return;
            foreach (var library in Leftovers(Directory.GetFiles(options.VgpuDir), options.LibraryFile, mounts))
            {
                File.Delete(library);
                LogRemoved(library);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogKept(options.VgpuDir, e.Message);
        }
    }

    /// <summary>Which of the files are libraries that we installed and nobody needs; none where ours was not installed by us.</summary>
    public static IEnumerable<string> Leftovers(IEnumerable<string> files, string current, IReadOnlySet<string> mounts) =>
        Interceptor.IsInstalled(current) ? files.Where(file => Interceptor.IsInstalled(file) && file != current && !mounts.Contains(file)) : [];

    [LoggerMessage(LogLevel.Information, "{Library} of an earlier version is removed: no container needs it any more")]
    private partial void LogRemoved(string library);

    [LoggerMessage(LogLevel.Warning, "Libraries of earlier versions could not be removed from {Folder}: {Reason}")]
    private partial void LogKept(string folder, string reason);
}
