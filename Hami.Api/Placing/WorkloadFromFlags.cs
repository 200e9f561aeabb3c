using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Placing.Fragmentation;

namespace Hami.Api.Placing;

/// <summary>The typical workload that <c>--workload-file</c> gave; null to learn it.</summary>
internal sealed record GivenWorkload(WorkloadMix? Mix);

/// <summary>Puts the workload this process was started with into the log, or takes an earlier one back, unless it stands there so.</summary>
internal sealed partial class WorkloadFromFlags(Journal journal, FollowedLog log, IReadiness readiness, GivenWorkload given, TimeProvider time, ILogger<WorkloadFromFlags> logger)
    : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(WriteAsync, time, logger, stoppingToken);

    private async Task WriteAsync(CancellationToken stoppingToken)
    {
        await journal.Loaded.WaitAsync(stoppingToken);
        await log.ForEachAsync(SayAsync, stoppingToken);
    }

    private async Task SayAsync(CancellationToken stoppingToken)
    {
        // Which cards there are counts too, and is known once the nodes are listed.
        while (readiness.WhyNot is not null)
            await Task.Delay(Pause, time, stoppingToken);
        await journal.DecideUntilWrittenAsync(Streams.Policy, Decide, why => LogNotWritten(logger, why), time, stoppingToken);
    }

    private Verdict<PolicyEvent> Decide(ClusterLedger ledger) => given.Mix is { } mix
        ? GiveWorkloadDecider.Decide(new(mix, "given by an admin, --workload-file"), ledger)
        : TakeWorkloadBackDecider.Decide(new(), ledger);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The workload of the flags is not in the log yet: {Why}")]
    private static partial void LogNotWritten(ILogger logger, string why);
}
