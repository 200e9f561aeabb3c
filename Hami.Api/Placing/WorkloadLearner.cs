using System.Threading.Channels;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing.Fragmentation;

namespace Hami.Api.Placing;

/// <summary>Notices when the placed pods have taught enough for another typical workload.</summary>
internal sealed class LearningDue : ILogFollower
{
    private readonly Channel<bool> _due = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public IAsyncEnumerable<bool> ReadAllAsync(CancellationToken cancellationToken) => _due.Reader.ReadAllAsync(cancellationToken);

    /// <inheritdoc />
    public void Committed(ClusterLedger after, IReadOnlyList<Recorded> recorded)
    {
        if (LearnWorkloadDecider.IsDue(after))
            _due.Writer.TryWrite(true);
    }
}

/// <summary>Puts what was learned into the log, where decisions read it.</summary>
internal sealed partial class WorkloadLearner(LearningDue due, Journal journal, TimeProvider time, ILogger<WorkloadLearner> logger) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(LearnAsync, time, logger, stoppingToken);

    private async Task LearnAsync(CancellationToken stoppingToken)
    {
        await journal.Loaded.WaitAsync(stoppingToken);
        await foreach (var _ in due.ReadAllAsync(stoppingToken))
        {
            try
            {
                await journal.DecideAsync(Streams.Policy, ledger => LearnWorkloadDecider.Decide(new(), ledger), stoppingToken);
            }
            catch (JournalUnavailableException e)
            {
                // The next placement says it again.
                LogNotWritten(logger, e.Message);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // Placement goes on with the workload in force.
                LogNotLearned(logger, e);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "No workload could be learned from the log.")]
    private static partial void LogNotLearned(ILogger logger, Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The learned workload is not in the log yet: {Why}")]
    private static partial void LogNotWritten(ILogger logger, string why);
}
