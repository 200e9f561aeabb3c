using System.Threading.Channels;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Api.Placing;

/// <summary>Takes refusals without waiting.</summary>
internal interface IRefusalLog
{
    void Record(RefusePlacement refusal);
}

/// <summary>Writes refusals to the log behind the answer's back: a filter never waits for the database.</summary>
internal sealed partial class RefusalRecorder(Journal journal, TimeProvider time, ILogger<RefusalRecorder> logger) : BackgroundService, IRefusalLog
{
    private const int MostWaiting = 10_000;

    // What is dropped when the log cannot keep up for long is said again by the pod's next filter.
    private readonly Channel<RefusePlacement> _refusals =
        Channel.CreateBounded<RefusePlacement>(new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.DropOldest });

    public void Record(RefusePlacement refusal) => _refusals.Writer.TryWrite(refusal);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(RecordAsync, time, logger, stoppingToken);

    private async Task RecordAsync(CancellationToken stoppingToken)
    {
        await foreach (var refusal in _refusals.Reader.ReadAllAsync(stoppingToken))
        {
            var ask = refusal.Ask;
            try
            {
                await journal.DecideUntilWrittenAsync(
                    Streams.Pod(ask.Uid), ledger => RefusePlacementDecider.Decide(refusal, ledger),
                    why => LogNotWritten(logger, ask.Namespace, ask.Name, why), time, stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // Of this refusal alone; the process, and the other pods' reasons, go on.
                LogLost(logger, ask.Namespace, ask.Name, e);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The refusal of {Namespace}/{Pod} cannot be written.")]
    private static partial void LogLost(ILogger logger, string @namespace, string pod, Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The refusal of {Namespace}/{Pod} is not written yet: {Why}")]
    private static partial void LogNotWritten(ILogger logger, string @namespace, string pod, string why);
}
