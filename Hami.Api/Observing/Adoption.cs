using System.Collections.Concurrent;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;
using Hami.Domain.Observing;
using Hami.Domain.Protocol;

namespace Hami.Api.Observing;

/// <summary>Takes over what pods hold that HAMi placed; only where asked for, as annotations can be written by others too.</summary>
internal sealed partial class Adoption(Journal journal, ResultOptions options, ILogger<Adoption> logger)
{
    // Said once for each pod, not at every change of it.
    private readonly ConcurrentDictionary<string, string> _unreadable = new(StringComparer.Ordinal);

    /// <summary>Pods there now whose annotations could not be read, so that what they hold is not counted.</summary>
    public int Unreadable => _unreadable.Count;

    /// <summary>True for a pod that holds cards without our knowing. Terminating ones do until they are gone; without a node none does.</summary>
    public bool Wants(SeenPod pod) =>
        options.Adopt && pod is { Foreign: not null, Node.Length: > 0, IsTerminal: false } && !journal.Ledger.LiveByPod.ContainsKey(pod.Uid);

    public async Task AdoptAsync(SeenPod pod, CancellationToken cancellationToken)
    {
        if (pod.Foreign is not { } found)
            return;
        if (found.Fault is { } fault)
        {
            if (_unreadable.TryAdd(pod.Uid, fault))
                LogUnreadable(logger, pod.Namespace, pod.Name, pod.Node, fault);
            return;
        }
        _unreadable.TryRemove(pod.Uid, out _);
        var adopt = new AdoptAllocation(
            Guid.CreateVersion7(), pod.Uid, pod.Namespace, pod.Name, pod.Node, found, pod.BindPhase == BindPhases.Success);
        var verdict = await journal.DecideAsync(Streams.Node(pod.Node), ledger => AdoptAllocationDecider.Decide(adopt, ledger), cancellationToken);
        if (verdict.Events.Count > 0)
            LogAdopted(logger, pod.Namespace, pod.Name, pod.Node, found.Shares.Count);
    }

    public void Forget(string podUid) => _unreadable.TryRemove(podUid, out _);

    /// <summary>Says how many pods of a complete list hold cards that are not counted.</summary>
    public void Listed(IEnumerable<SeenPod> pods)
    {
        if (!options.Adopt && pods.Count(p => p is { Foreign: not null, Node.Length: > 0, IsTerminal: false } && !journal.Ledger.LiveByPod.ContainsKey(p.Uid)) is > 0 and var others)
            LogLeft(logger, others);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Namespace}/{Pod} on {Node}, placed by HAMi, is adopted with {Shares} shares.")]
    private static partial void LogAdopted(ILogger logger, string @namespace, string pod, string node, int shares);

    [LoggerMessage(Level = LogLevel.Error, Message = "What {Namespace}/{Pod} holds on {Node} is not counted: {Why}. Its cards may be given away a second time; delete the pod, or mend the annotation.")]
    private static partial void LogUnreadable(ILogger logger, string @namespace, string pod, string node, string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} pods carry HAMi's annotations and no allocation of ours: what they hold is not counted. If HAMi placed them, start with --adopt.")]
    private static partial void LogLeft(ILogger logger, int count);
}
