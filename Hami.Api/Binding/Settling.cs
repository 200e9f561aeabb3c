using System.Threading.Channels;
using Hami.Api.Plumbing;
using Hami.Api.Registering;
using Hami.Domain.Binding;
using Hami.Domain.Ledger;
using Hami.Domain.Releasing;

namespace Hami.Api.Binding;

/// <summary>Brings binds to an end whose outcome is not known. A bind that may still be in flight is never presumed dead.</summary>
internal sealed partial class Settling(Journal journal, PodBinder binder, NodeLocks locks, SeenNodes nodes, KeyedLock podLock, TimeProvider time, ILogger<Settling> logger) : BackgroundService
{
    private const int Workers = 16;

    private readonly Channel<string> _unsettled = Channel.CreateUnbounded<string>();
    private readonly KeyedWork _work = new(Workers, time);

    /// <summary>Settles this pod soon, and again until it is.</summary>
    public void Later(string podUid) => _unsettled.Writer.TryWrite(podUid);

    /// <summary>Looks at the end of a command nobody waits for.</summary>
    public async Task ObserveAsync<TEvent>(Task<Verdict<TEvent>> command) where TEvent : notnull
    {
        try
        {
            await command;
        }
        catch (JournalUnavailableException e)
        {
            LogNotWritten(logger, e);
        }
    }

    /// <summary>Settles the pod's placed allocation; the caller holds the pod's lock.</summary>
    /// <returns>Why the allocation stays, in a sentence; null when the pod holds nothing any more.</returns>
    /// <exception cref="k8s.Autorest.HttpOperationException">The API server would not say.</exception>
    public async Task<string?> SettleAsync(string podUid, CancellationToken cancellationToken)
    {
        if (!journal.Ledger.LiveByPod.TryGetValue(podUid, out var live) || journal.Ledger.AllocationOf(podUid) is not { } allocation)
            return null;
        var stream = Streams.Node(live.Node);
        if (allocation.Phase is not AllocationPhase.Placed)
            return Stays(allocation, live.Node);

        var outcome = await binder.SettleAsync(allocation, live.Node, cancellationToken);
        LogSettled(logger, allocation.Namespace, allocation.Pod, live.Node, outcome);
        if (outcome is BindingOutcome.Bound)
        {
            await journal.DecideAsync(stream, ledger => ConfirmBoundDecider.Decide(new(podUid, allocation.Id), ledger), cancellationToken);
            return Stays(allocation, live.Node);
        }
        var reason = outcome is BindingOutcome.PodGone ? ReleaseReason.Deleted : ReleaseReason.BindFailed;
        await journal.DecideAsync(stream, ledger => ReleaseAllocationDecider.Decide(new(podUid, allocation.Id, reason), ledger), cancellationToken);
        if (!nodes.IsOurs(live.Node))
            await locks.ReleaseAsync(live.Node, allocation.Namespace, allocation.Pod, cancellationToken);
        return null;
    }

    /// <summary>Settles the pod's placed allocation, however often that must be tried.</summary>
    public Task UntilSettledAsync(string podUid, CancellationToken cancellationToken) => _work.DoAsync(
        podUid,
        async token =>
        {
            using var turn = await podLock.AcquireAsync(podUid, token);
            // What was written although its answer was lost is known once the journal has been at the head of the log again.
            await journal.DecideAsync(Streams.Pod(podUid), _ => Verdict<PodEvent>.Nothing, token);
            await SettleAsync(podUid, token);
        },
        (pause, e) => LogUnsettled(logger, podUid, pause.TotalSeconds, e),
        cancellationToken);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => UntilStopped.RunAsync(FollowAsync, time, logger, stoppingToken);

    private async Task FollowAsync(CancellationToken stoppingToken)
    {
        await foreach (var uid in _unsettled.Reader.ReadAllAsync(stoppingToken))
            _ = UntilSettledAsync(uid, stoppingToken);
    }

    private static string Stays(Allocation allocation, string node) =>
        $"pod {allocation.Namespace}/{allocation.Pod} is bound to node {node} already";

    [LoggerMessage(Level = LogLevel.Information, Message = "The unfinished bind of {Namespace}/{Pod} to {Node} is settled: {Outcome}")]
    private static partial void LogSettled(ILogger logger, string @namespace, string pod, string node, BindingOutcome outcome);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The unfinished bind of pod {PodUid} could not be settled yet; trying again in {Seconds} s.")]
    private static partial void LogUnsettled(ILogger logger, string podUid, double seconds, Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A command was not written; the pod watch says it again.")]
    private static partial void LogNotWritten(ILogger logger, Exception exception);
}
