namespace Hami.Api.Plumbing;

/// <summary>Work in the background that lasts as long as the host.</summary>
internal static partial class UntilStopped
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>Runs the work until it is done or the host stops; a fault is logged and the work begun anew, as nothing else ends with it.</summary>
    /// <remarks>
    /// A host that fails while it starts stops its services before it says that it is stopping, and would take what their waiting
    /// ends with for a fault of theirs: so nothing of that leaves here.
    /// </remarks>
    public static async Task RunAsync(Func<CancellationToken, Task> work, TimeProvider time, ILogger logger, CancellationToken stoppingToken)
    {
        do
        {
            try
            {
                await work(stoppingToken);
                return;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                LogBroken(logger, e);
            }
            await Task.Delay(Pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        while (!stoppingToken.IsCancellationRequested);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Work in the background broke off; it begins anew.")]
    private static partial void LogBroken(ILogger logger, Exception exception);
}
