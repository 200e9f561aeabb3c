using GraphQL;
using Hami.Api.Plumbing;
using Hami.Domain.Ledger;

namespace Hami.Api;

/// <summary>A pod that waits because no node has what it asks.</summary>
/// <param name="PodUid">UID of the pod.</param>
/// <param name="Namespace">Its namespace.</param>
/// <param name="Pod">Its name.</param>
/// <param name="Message">Why it waits, in a sentence.</param>
/// <param name="Reasons">How many cards refused it for which reason.</param>
/// <param name="RefusedAt">When these reasons were first found.</param>
/// <param name="LogPosition">Position in the log of the state that refused it.</param>
public sealed record PendingPod(
    string PodUid, string Namespace, string Pod, string Message, IReadOnlyList<RefusalCount> Reasons, DateTimeOffset RefusedAt, long LogPosition);

public sealed partial class Query
{
    /// <summary>Pods that wait, and why.</summary>
    /// <param name="namespace">Only pods of this namespace.</param>
    /// <param name="pod">Only the pod of this name.</param>
    public static IEnumerable<PendingPod> PendingPods([FromServices] Journal journal, string? @namespace = null, string? pod = null) =>
        journal.Ledger.Waiting.Values
            .Where(w => (@namespace is null || w.Refusal.Namespace == @namespace) && (pod is null || w.Refusal.Pod == pod))
            .OrderBy(w => w.At)
            .Select(w => new PendingPod(
                w.Refusal.PodUid, w.Refusal.Namespace, w.Refusal.Pod, w.Refusal.Message, w.Refusal.Reasons, w.At, w.Refusal.LogPosition));
}
