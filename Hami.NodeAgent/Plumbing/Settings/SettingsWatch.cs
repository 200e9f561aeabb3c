using System.Runtime.InteropServices;

namespace Hami.NodeAgent.Plumbing.Settings;

/// <summary>Reads the configuration files again whenever they change, and on SIGHUP.</summary>
/// <remarks>By looking, not by inotify: a file from a ConfigMap changes by a symlink two levels up.</remarks>
internal sealed partial class SettingsWatch(AgentOptions options, SettingsFiles files, SettingsInForce settings, TimeProvider time, ILogger<SettingsWatch> log) : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim woken = new(0, 1);
    private Task? asking;
    private HashSet<string> said = [];
    private bool saidResource;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(Follow, time, log, stoppingToken);

    private async Task Follow(CancellationToken stoppingToken)
    {
        // Without somebody who listens SIGHUP would end the process.
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
        {
            signal.Cancel = true;
            ReadAgain();
        });
        while (!stoppingToken.IsCancellationRequested)
        {
            Read();
            if (await Asked(stoppingToken))
            {
                // Whoever asks wants to hear it again.
                (said, saidResource) = ([], false);
                LogAsked();
            }
        }
    }

    private async Task<bool> Asked(CancellationToken stopping)
    {
        // Who waits for the question goes on waiting: to call it off every second would throw every second.
        asking ??= woken.WaitAsync(stopping);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        await Task.WhenAny(asking, Task.Delay(Period, time, end.Token));
        await end.CancelAsync();
        if (!asking.IsCompleted)
            return false;
        await asking;
        asking = null;
        return true;
    }

    private void ReadAgain()
    {
        try
        {
            woken.Release();
        }
        catch (SemaphoreFullException)
        {
            // Already asked.
        }
    }

    private void Read()
    {
        var read = files.Read();
        foreach (var fault in files.Faults.Except(said))
            LogFault(fault);
        said = [.. files.Faults];
        var before = settings.Current;
        if (settings.Set(read))
        {
            LogChanged(read.ToString());
            if (read.PreferredAllocation != before.PreferredAllocation)
                LogNextKubelet();
        }
        if (read.ResourceName == options.ResourceName)
            saidResource = false;
        else if (!saidResource)
        {
            saidResource = true;
            LogNeedsStart(read.ResourceName, options.ResourceName);
        }
    }

    public override void Dispose()
    {
        woken.Dispose();
        base.Dispose();
    }

    [LoggerMessage(LogLevel.Information, "SIGHUP: the configuration is read again")]
    private partial void LogAsked();

    [LoggerMessage(LogLevel.Information, "The node's configuration has changed: {Settings}")]
    private partial void LogChanged(string settings);

    [LoggerMessage(LogLevel.Warning, "Whether preferred allocation is offered is told to the kubelet when it registers the plugin: start the agent again, until then it stays as it is")]
    private partial void LogNextKubelet();

    [LoggerMessage(LogLevel.Error, "{Sentence} Until then what it said before counts.")]
    private partial void LogFault(string sentence);

    [LoggerMessage(LogLevel.Warning, "The resource is to be called {New}: start the agent again, until then it stays {Old}")]
    private partial void LogNeedsStart(string @new, string old);
}
