using System.Collections.Concurrent;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Observing;
using Hami.Domain.Protocol;

namespace Hami.Api.Observing;

/// <summary>Takes over what pods hold that HAMi placed; only where asked for, as annotations can be written by others too.</summary>
/// <remarks>
/// HAMi's scheduler and ours take turns: what it placed stood there before we started. A pod that was created later is ours to place,
/// and what its annotations say is its author's.
/// </remarks>
internal sealed partial class Adoption(Journal journal, Readiness readiness, DuePods due, ResultOptions options, TimeProvider time, ILogger<Adoption> logger)
{
    private readonly DateTimeOffset _started = time.GetUtcNow();

    // Said once for each pod, not at every change of it.
    private readonly ConcurrentDictionary<string, string> _left = new(StringComparer.Ordinal);

    /// <summary>True for a pod that holds cards without our knowing. Terminating ones do until they are gone; without a node none does.</summary>
    public bool Wants(SeenPod pod) =>
        options.Adopt && pod is { Foreign: not null, Node.Length: > 0, IsTerminal: false } && !journal.Ledger.LiveByPod.ContainsKey(pod.Uid);

    public async Task AdoptAsync(SeenPod pod, CancellationToken cancellationToken)
    {
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
        if (verdict.Events is [NodeEvent.AllocationAdopted adopted])
            LogAdopted(logger, pod.Namespace, pod.Name, pod.Node, adopted.Shares.Count, adopted.Source);
    }

    private void Leave(SeenPod pod, string why)
    {
        if (_left.TryAdd(pod.Uid, why))
            LogLeft(logger, pod.Namespace, pod.Name, pod.Node, why);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Namespace}/{Pod} on {Node}, placed by HAMi, is adopted with {Shares} shares by {Source}.")]
    private static partial void LogAdopted(ILogger logger, string @namespace, string pod, string node, int shares, string source);

    [LoggerMessage(Level = LogLevel.Error, Message = "What {Namespace}/{Pod} holds on {Node} is not counted: {Why}. Until then its cards may be given away a second time.")]
    private static partial void LogLeft(ILogger logger, string @namespace, string pod, string node, string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} pods carry HAMi's annotations and no allocation of ours: what they hold is not counted. If HAMi placed them, start with --adopt.")]
    private static partial void LogNotAsked(ILogger logger, int count);
}
