using Hami.Api.Measuring;
using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Api.Plumbing.Telling;
using Hami.Api.Registering;
using Hami.Domain.Binding;
using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Hami.Domain.Releasing;
using k8s.Autorest;
using Mediator;

namespace Hami.Api.Binding;

/// <summary>Put a pod on a node: decide, write it down, then tell Kubernetes.</summary>
internal sealed record Bind(string Namespace, string Pod, string PodUid, string Node) : ICommand<BindResult>;

internal sealed partial class BindHandler(
    Journal journal, ClusterView view, PodBinder binder, Settling settling, NodeLocks locks, SeenNodes nodes, PodEvents events, KeyedLock podLock,
    Readiness readiness, AskReader asks, ExtenderSettings settings, TimeProvider time,
    ILogger<BindHandler> logger) : ICommandHandler<Bind, BindResult>
{
    public async ValueTask<BindResult> Handle(Bind command, CancellationToken cancellationToken)
    {
        if (readiness.WhyNot is { } whyNot)
            return new(whyNot);
        using var turn = await podLock.AcquireAsync(command.PodUid, cancellationToken);
        var result = await AnswerAsync(command, cancellationToken);
        events.Tell(
            new(command.Namespace, command.Pod, command.PodUid),
            result.Error.Length == 0
                ? PodEventWords.BindingSucceeded(command.Node, command.Namespace, command.Pod)
                : PodEventWords.BindingFailed(result.Error));
        return result;
    }

    private async Task<BindResult> AnswerAsync(Bind command, CancellationToken cancellationToken)
    {
        try
        {
            return await BindAsync(command, cancellationToken);
        }
        catch (JournalUnavailableException e)
        {
            // It may be written all the same, and nobody may ask again.
            settling.Later(command.PodUid);
            return new(e.Message);
        }
        catch (Exception e) when (e is HttpOperationException or HttpRequestException or IOException)
        {
            LogUnreachable(logger, command.Namespace, command.Pod, e);
            return new($"the API server could not be asked about pod {command.Namespace}/{command.Pod}: {e.Message}");
        }
    }

    private async Task<BindResult> BindAsync(Bind command, CancellationToken cancellationToken)
    {
        // A bind of this pod on another node that never came to an end is settled before a new one begins.
        if (journal.Ledger.LiveByPod.TryGetValue(command.PodUid, out var live) && live.Node != command.Node
            && await settling.SettleAsync(command.PodUid, cancellationToken) is { } stays)
        {
            return new(stays);
        }

        var (ask, resourceVersion, error) = await AskOf(command, cancellationToken);
        if (ask is null)
            return new(error!);
        if (!ask.AsksCards())
            return new(await binder.BindWithoutDevicesAsync(command, cancellationToken) ?? "");
        if (!nodes.Knows(command.Node))
        {
            view.DropReservation(command.PodUid);
            return new(PodEventWords.BindingFailedWithoutNode(command.Node).Message);
        }
        return nodes.IsOurs(command.Node)
            ? (await PlaceAndBindAsync(command, ask, resourceVersion, cancellationToken)).Result
            : await InTurnAsync(command, ask, resourceVersion, cancellationToken);
    }

    /// <summary>On a node whose device plugin serves one pod at a time, the one that its lock names.</summary>
    private async Task<BindResult> InTurnAsync(Bind command, PodAsk ask, string resourceVersion, CancellationToken cancellationToken)
    {
        // Bound before, and only the answer was lost: the plugin may be through with it, and would not take a new lock away.
        if (journal.Ledger.AllocationOf(command.PodUid) is { } earlier && await binder.HoldsAsync(earlier, cancellationToken))
            return await ConcludeAsync(command, earlier, BindingOutcome.Bound, null, cancellationToken);
        if (await locks.TakeAsync(command.Node, command.Namespace, command.Pod, cancellationToken) is { } whyNot)
        {
            view.DropReservation(command.PodUid);
            return new(whyNot);
        }
        BindingOutcome? outcome = null;
        try
        {
            (var result, outcome) = await PlaceAndBindAsync(command, ask, resourceVersion, cancellationToken);
            return result;
        }
        finally
        {
            // The plugin takes it away from a pod that is bound, or may yet turn out to be.
            if (outcome is not (BindingOutcome.Bound or BindingOutcome.Unknown))
                await locks.ReleaseAsync(command.Node, command.Namespace, command.Pod, CancellationToken.None);
        }
    }

    private async Task<(BindResult Result, BindingOutcome? Outcome)> PlaceAndBindAsync(
        Bind command, PodAsk ask, string resourceVersion, CancellationToken cancellationToken)
    {
        var refusal = await PlaceAsync(command, ask, cancellationToken);
        if (refusal is not null)
        {
            view.DropReservation(command.PodUid);
            return (new(refusal.Sentence), null);
        }

        var allocation = journal.Ledger.AllocationOf(command.PodUid);
        if (allocation is null)
            return (new($"pod {command.Namespace}/{command.Pod} gave its allocation back during its bind; ask again"), null);
        var (outcome, why) = await binder.BindAsync(allocation, command.Node, resourceVersion, cancellationToken);
        return (await ConcludeAsync(command, allocation, outcome, why, cancellationToken), outcome);
    }

    private async Task<Refusal?> PlaceAsync(Bind command, PodAsk ask, CancellationToken cancellationToken)
    {
        var reserved = view.ReservationOf(command.PodUid);
        var reservation = reserved?.Node == command.Node ? reserved : null;
        // kube-scheduler's own preferences decided otherwise; what is reserved elsewhere is given back with the placement.
        if (reserved is not null && reservation is null && settings.Mode is ExtenderMode.Score)
            Meters.ScoreConflict();
        var place = new PlaceAllocation(
            Guid.CreateVersion7(), ask, command.Node, reservation?.Candidates ?? 0, reservation?.RunnersUp ?? [],
            view.ReservedByOthers(command.Node, command.PodUid), view.Node(command.Node)?.Host);
        var began = time.GetTimestamp();
        var verdict = await journal.DecideAsync(
            Streams.Node(command.Node), ledger => PlaceAllocationDecider.Decide(place, ledger), cancellationToken);
        Meters.Took(Stage.BindDecide, time.GetElapsedTime(began));
        return verdict.Refusal;
    }

    private async Task<BindResult> ConcludeAsync(
        Bind command, Allocation allocation, BindingOutcome outcome, string? why, CancellationToken cancellationToken)
    {
        var stream = Streams.Node(command.Node);
        switch (outcome)
        {
            case BindingOutcome.Bound:
                // Not waited for: should it be lost, the pod watch says it again. It may have been quicker, too.
                if (Confirm(journal.Ledger).Events.Count > 0)
                    _ = settling.ObserveAsync(journal.DecideAsync(stream, Confirm, CancellationToken.None));
                return BindResult.Bound;
            case BindingOutcome.PodGone:
                await Release(ReleaseReason.Deleted);
                break;
            case BindingOutcome.Elsewhere or BindingOutcome.Refused:
                await Release(ReleaseReason.BindFailed);
                break;
            default:
                settling.Later(allocation.PodUid);
                break;
        }
        LogFailed(logger, command.Namespace, command.Pod, command.Node, why);
        return new(why ?? "the Binding failed");

        Verdict<NodeEvent> Confirm(ClusterLedger ledger) => ConfirmBoundDecider.Decide(new(allocation.PodUid, allocation.Id), ledger);

        Task Release(ReleaseReason reason) => journal.DecideAsync(
            stream, ledger => ReleaseAllocationDecider.Decide(new(allocation.PodUid, allocation.Id, reason), ledger), cancellationToken);
    }

    /// <summary>What the pod asks: as its filter left it, else read again (we may have been restarted in between).</summary>
    private async Task<(PodAsk? Ask, string ResourceVersion, string? Error)> AskOf(Bind command, CancellationToken cancellationToken)
    {
        if (view.ReservationOf(command.PodUid) is { } reservation)
            return (reservation.Ask, reservation.ResourceVersion, null);
        var pod = await binder.FindAsync(command.Namespace, command.Pod, cancellationToken);
        if (pod is null || pod.Metadata.Uid != command.PodUid)
            return (null, "", $"pod {command.Namespace}/{command.Pod} with uid {command.PodUid} does not exist");
        var (ask, error) = asks.Read(pod);
        return (ask, pod.Metadata.ResourceVersion, error);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Binding {Namespace}/{Pod} to {Node} failed: {Why}")]
    private static partial void LogFailed(ILogger logger, string @namespace, string pod, string node, string? why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The API server could not be asked about {Namespace}/{Pod}.")]
    private static partial void LogUnreachable(ILogger logger, string @namespace, string pod, Exception exception);
}
