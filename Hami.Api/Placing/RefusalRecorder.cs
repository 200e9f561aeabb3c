using System.Threading.Channels;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;

namespace Hami.Api.Placing;

/// <summary>Writes refusals to the log behind the answer's back: a filter never waits for the database.</summary>
internal sealed partial class RefusalRecorder(Journal journal, ILogger<RefusalRecorder> logger) : BackgroundService
{
    private const int MostWaiting = 10_000;

    // What is dropped when the log cannot keep up is said again by the pod's next filter.
    private readonly Channel<RefusePlacement> _refusals =
        Channel.CreateBounded<RefusePlacement>(new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.DropOldest });

    public void Record(RefusePlacement refusal) => _refusals.Writer.TryWrite(refusal);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var refusal in _refusals.Reader.ReadAllAsync(stoppingToken))
        {
            try
            {
                await journal.DecideAsync(Streams.Pod(refusal.Ask.Uid), ledger => RefusePlacementDecider.Decide(refusal, ledger), stoppingToken);
            }
            catch (JournalUnavailableException e)
            {
                LogLost(logger, refusal.Ask.Namespace, refusal.Ask.Name, e);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The refusal of {Namespace}/{Pod} was not written; its next filter says it again.")]
    private static partial void LogLost(ILogger logger, string @namespace, string pod, Exception exception);
}
