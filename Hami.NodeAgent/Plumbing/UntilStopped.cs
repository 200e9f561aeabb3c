namespace Hami.NodeAgent.Plumbing;

/// <summary>Work in the background that lasts as long as the agent: its stop is no fault, and a fault of it does not end the agent.</summary>
internal static partial class UntilStopped
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>Runs the work until it is done or the agent stops; a fault is logged and the work begun anew.</summary>
    public static async Task RunAsync(Func<CancellationToken, Task> work, TimeProvider time, ILogger log, CancellationToken stopping)
    {
        do
        {
            try
            {
                await work(stopping);
                return;
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                LogBroken(log, e);
            }
            await Task.Delay(Pause, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        while (!stopping.IsCancellationRequested);
    }

    [LoggerMessage(LogLevel.Error, "Work in the background broke off; it begins anew")]
    private static partial void LogBroken(ILogger log, Exception exception);
}
