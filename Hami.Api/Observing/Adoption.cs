using System.Collections.Concurrent;
using Hami.Api.Binding;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Domain.Ledger;
using Hami.Domain.Observing;
using Hami.Domain.Protocol;

namespace Hami.Api.Observing;

/// <summary>
/// Takes over what pods hold without the log's knowing: what HAMi placed, only where asked for, as annotations can be written by others too; and
/// what we placed ourselves and have signed, where the log came back from an older backup.
/// </summary>
/// <remarks>
/// HAMi's scheduler and ours take turns: what it placed stood there before we started. A pod that was created later is ours to place,
/// and what its annotations say is its author's.
/// </remarks>
internal sealed partial class Adoption(
    Journal journal, Readiness readiness, DuePods due, ResultOptions options, ResultSigner signer, PodBinder binder, NvidiaConfig nvidia, TimeProvider time, ILogger<Adoption> logger)
{
    private readonly DateTimeOffset _started = time.GetUtcNow();

    // Said once for each pod, not at every change of it.
    private readonly ConcurrentDictionary<string, string> _left = new(StringComparer.Ordinal);

    /// <summary>True for a pod that holds cards without our knowing. Terminating ones do until they are gone; without a node none does.</summary>
    public bool Wants(SeenPod pod) =>
        pod is { Node.Length: > 0, IsTerminal: false } && (pod.IsSigned ? signer.KeyId is not null : options.Adopt && pod.Foreign is not null)
        && !journal.Ledger.LiveByPod.ContainsKey(pod.Uid);

    public async Task AdoptAsync(SeenPod pod, CancellationToken cancellationToken)
    {
        if (pod.IsSigned)
            await AdoptOursAsync(pod, cancellationToken);
        if (pod.Foreign is not { } found)
            return;
        // What it holds is looked up among the cards of its node.
        await readiness.NodesKnown.WaitAsync(cancellationToken);
        if (found.Fault is { } fault)
            Leave(pod, $"{fault}; mend the annotation, or delete the pod");
        else if (pod.CreatedAt >= _started)
            Leave(pod, "it was created after this process was started, so HAMi's scheduler did not place it before; if it did since, stop that scheduler and start this process again");
        else
            await AdoptAsync(pod, found, cancellationToken);
    }

    public void Forget(string podUid)
    {
        _left.TryRemove(podUid, out _);
        due.Forget(podUid);
    }

    /// <summary>Says how many pods of a complete list hold cards that are not counted.</summary>
    public void Listed(IEnumerable<SeenPod> pods)
    {
        if (!options.Adopt && pods.Count(p => p is { Foreign: not null, Node.Length: > 0, IsTerminal: false } && !journal.Ledger.LiveByPod.ContainsKey(p.Uid)) is > 0 and var others)
            LogNotAsked(logger, others);
    }

    private async Task AdoptOursAsync(SeenPod seen, CancellationToken cancellationToken)
    {
        // To the end of the log first: most were placed by another process a moment ago.
        await journal.DecideAsync(Streams.Node(seen.Node), _ => Verdict<NodeEvent>.Nothing, cancellationToken);
        if (!Wants(seen))
            return;
        await readiness.NodesKnown.WaitAsync(cancellationToken);
        // As the API server has it now: what was seen a while ago may have been released since, for good reason.
        if (await binder.FindAsync(seen.Namespace, seen.Name, cancellationToken) is not { } now || SeenPod.Of(now, nvidia) is not { } pod || pod.Uid != seen.Uid || !Wants(pod))
            return;
        if (signer.WhyNotOurs(now) is { } why)
            Leave(pod, why);
        else if (SeenPod.ForeignSharesOf(now, nvidia) is not { } found)
            Leave(pod, "its annotations do not say on which node");
        else if (found.Fault is { } fault)
            Leave(pod, fault);
        else
        {
            await AdoptAsync(
                pod with { Owner = PodReading.Owner(now) },
                found with { Source = $"our own signature by key {signer.KeyId} over allocation {pod.AllocationId}, of which the log knew nothing" }, cancellationToken);
        }
    }

    private async Task AdoptAsync(SeenPod pod, ForeignShares found, CancellationToken cancellationToken)
    {
        var adopt = new AdoptAllocation(
            Guid.CreateVersion7(), pod.Uid, pod.Namespace, pod.Name, pod.Node, found, pod.BindPhase == BindPhases.Success, pod.Owner);
        // Registered before the cards are looked up, so that none can come in between.
        due.AddWithCardsOf(pod.Node, pod.Uid);
        if (AdoptAllocationDecider.Decide(adopt, journal.Ledger).Refusal is { } refusal)
        {
            Leave(pod, $"it names {refusal.Sentence}");
            return;
        }
        var verdict = await journal.DecideAsync(Streams.Node(pod.Node), ledger => AdoptAllocationDecider.Decide(adopt, ledger), cancellationToken);
        if (verdict.Refusal is null)
            Forget(pod.Uid);
        if (verdict.Events is [NodeEvent.AllocationAdopted ours] && pod.IsSigned)
            LogOurs(logger, pod.Namespace, pod.Name, pod.Node, ours.Shares.Count, ours.Source);
        else if (verdict.Events is [NodeEvent.AllocationAdopted adopted])
            LogAdopted(logger, pod.Namespace, pod.Name, pod.Node, adopted.Shares.Count, adopted.Source);
    }

    private void Leave(SeenPod pod, string why)
    {
        if (_left.TryAdd(pod.Uid, why))
            LogLeft(logger, pod.Namespace, pod.Name, pod.Node, why);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Namespace}/{Pod} on {Node}, placed by HAMi, is adopted with {Shares} shares by {Source}.")]
    private static partial void LogAdopted(ILogger logger, string @namespace, string pod, string node, int shares, string source);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Namespace}/{Pod} on {Node} is counted again with {Shares} shares by {Source}.")]
    private static partial void LogOurs(ILogger logger, string @namespace, string pod, string node, int shares, string source);

    [LoggerMessage(Level = LogLevel.Error, Message = "What {Namespace}/{Pod} holds on {Node} is not counted: {Why}. Until then its cards may be given away a second time.")]
    private static partial void LogLeft(ILogger logger, string @namespace, string pod, string node, string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} pods carry HAMi's annotations and no allocation of ours: what they hold is not counted. If HAMi placed them, start with --adopt.")]
    private static partial void LogNotAsked(ILogger logger, int count);
}
