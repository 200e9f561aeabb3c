using Hami.Api.Asking;
using Hami.Domain.Ledger;

namespace Hami.Api.Placing;

/// <summary>A pod whose waiting changed.</summary>
/// <param name="Position">Position in the log up to which this is true.</param>
/// <param name="PodUid">UID of the pod.</param>
/// <param name="Namespace">Its namespace; null only where the log no longer has it.</param>
/// <param name="Pod">Its name; null only where the log no longer has it.</param>
/// <param name="Waits">Why it waits; null when it waits no more.</param>
public sealed record PendingChange(long Position, string PodUid, string? Namespace, string? Pod, PendingPod? Waits) : IPositioned
{
    private bool IsLast { get; init; }

    // Several pods may change at one position: whoever has seen but some of them has not seen it.
    long? IPositioned.ResumeAfter() => IsLast ? Position : null;

    internal static IEnumerable<PendingChange> Of(Change change, Known known, Func<PendingChange, bool> isShown)
    {
        var pods = new Dictionary<string, (string? Namespace, string? Pod)>(StringComparer.Ordinal);
        foreach (var happened in change.Recorded)
        {
            switch (happened.Event)
            {
                case PodEvent.PlacementRefused e:
                    pods[e.PodUid] = (e.Namespace, e.Pod);
                    break;
                // Without what was before it is not known whether the pod had waited.
                case NodeEvent.AllocationPlaced e when change.Before.Position == 0 || change.Before.Waiting.ContainsKey(e.PodUid) || pods.ContainsKey(e.PodUid):
                    pods[e.PodUid] = (e.Namespace, e.Pod);
                    break;
                case NodeEvent.AllocationAdopted e when change.Before.Position == 0 || change.Before.Waiting.ContainsKey(e.PodUid) || pods.ContainsKey(e.PodUid):
                    pods[e.PodUid] = (e.Namespace, e.Pod);
                    break;
                case PodEvent.WorkloadWithdrawn e when !pods.ContainsKey(e.PodUid):
                    pods[e.PodUid] = change.Before.Waiting.TryGetValue(e.PodUid, out var waited) ? (waited.Refusal.Namespace, waited.Refusal.Pod)
                        : known.Pods.TryGetValue(e.PodUid, out var refused) ? refused : (null, null);
                    break;
            }
        }
        var shown = pods.OrderBy(p => p.Key, StringComparer.Ordinal)
            .Select(p => new PendingChange(
                change.Recorded[^1].Position, p.Key, p.Value.Namespace, p.Value.Pod, change.After.Waiting.TryGetValue(p.Key, out var waits) ? PendingPod.Of(waits, change.After) : null))
            .Where(isShown).ToList();
        for (var i = 0; i < shown.Count; i++)
            yield return shown[i] with { IsLast = i == shown.Count - 1 };
    }
}
