namespace Hami.Lab.Cluster;

/// <summary>A child process that is started again when it dies, as a Deployment's pod would be.</summary>
internal sealed class SupervisedProcess(Func<Task<ChildProcess>> start, bool restarts, TimeProvider time) : IAsyncDisposable
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(10);
    private readonly SemaphoreSlim _starting = new(1);
    private readonly CancellationTokenSource _stopping = new();
    private Task _watch = Task.CompletedTask;
    private ChildProcess? _current;
    private int _starts;

    /// <summary>How often it was started again.</summary>
    public int Restarts => Math.Max(0, _starts - 1);

    public int? ProcessId => _current is { HasExited: false } running ? running.Id : null;

    /// <summary>Starts it if it is not running.</summary>
    public async Task StartAsync()
    {
        if (restarts && _starts > 0)
            return; // the watch does it
        await StartOnceAsync();
        if (restarts)
            _watch = WatchAsync();
    }

    /// <summary>Kills it as <c>kill -9</c> would and waits until it is gone.</summary>
    public async Task KillAsync()
    {
        if (_current is not { HasExited: false } running)
            return;
        running.Kill();
        await running.WaitForExitAsync(CancellationToken.None);
    }

    /// <summary>Asks it to end and does not start it again.</summary>
    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        await _watch;
        if (_current is not null)
            await _current.StopAsync(TimeSpan.FromSeconds(10));
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        if (_current is not null)
            await _current.DisposeAsync();
        _stopping.Dispose();
        _starting.Dispose();
    }

    private async Task StartOnceAsync()
    {
        await _starting.WaitAsync();
        try
        {
            if (_current is { HasExited: false })
                return;
            // Swapped before the old one is disposed: others ask it for its id meanwhile.
            var ended = _current;
            _current = await start();
            _starts++;
            if (ended is not null)
                await ended.DisposeAsync();
        }
        finally
        {
            _starting.Release();
        }
    }

    private async Task WatchAsync()
    {
        var delay = FirstDelay;
        try
        {
            while (true)
            {
                var since = time.GetTimestamp();
                await _current!.WaitForExitAsync(_stopping.Token);
                delay = time.GetElapsedTime(since) > Settled ? FirstDelay : TimeSpan.FromTicks(Math.Min(delay.Ticks * 2, LongestDelay.Ticks));
                await Task.Delay(delay, time, _stopping.Token);
                await StartOnceAsync();
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // asked to stop
        }
    }
}
