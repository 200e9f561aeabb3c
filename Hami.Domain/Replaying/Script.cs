using Hami.Domain.Ledger;
using Hami.Domain.Placing;
using static Hami.Domain.Ledger.NodeEvent;
using static Hami.Domain.Ledger.PodEvent;

namespace Hami.Domain.Replaying;

/// <summary>A pod that asked for cards.</summary>
/// <param name="At">When it first asked, or the begin for one that waited already.</param>
/// <param name="PlacedAt">When it really was placed; null when it never was.</param>
/// <param name="Shrinks">After how long its init containers had ended; null when that is not known.</param>
/// <param name="Holds">How long it held its cards; null when it held them to the end, or never did.</param>
/// <param name="LeavesAt">When it went away without having been placed; null when it did not.</param>
internal sealed record Arrival(DateTimeOffset At, PodAsk Ask, DateTimeOffset? PlacedAt, TimeSpan? Shrinks, TimeSpan? Holds, DateTimeOffset? LeavesAt);

/// <summary>What came from outside in a time: pods, and everything that no placement decides.</summary>
/// <param name="Given">Events taken over as they were: cards, quotas, policies, and what pods do that held or were adopted.</param>
internal sealed record Script(IReadOnlyList<Arrival> Arrivals, IReadOnlyList<Recorded> Given)
{
    public static Script Of(ClusterLedger start, IReadOnlyList<Recorded> log, DateTimeOffset from)
    {
        var pods = new Dictionary<string, Arrival>(StringComparer.Ordinal);
        var placed = new HashSet<Guid>();
        var given = new List<Recorded>();
        foreach (var waiting in start.Waiting.Values.OrderBy(w => w.At))
        {
            if (waiting.Refusal.Ask is { } ask)
                pods[ask.Uid] = new(from, ask, null, null, null, null);
        }
        foreach (var e in log)
        {
            switch (e.Event)
            {
                case PlacementRefused { Ask: { } ask } when !pods.ContainsKey(ask.Uid):
                    pods[ask.Uid] = new(e.At, ask, null, null, null, null);
                    break;
                case AllocationPlaced { Because.Ask: { } ask } p:
                    // One whose Binding failed and that was placed again has waited until the last time.
                    pods[ask.Uid] = pods.GetValueOrDefault(ask.Uid, new(e.At, ask, null, null, null, null)) with { PlacedAt = e.At, Shrinks = null, Holds = null, LeavesAt = null };
                    placed.Add(p.AllocationId);
                    break;
                case AllocationShrunk s when placed.Contains(s.AllocationId):
                    pods[s.PodUid] = pods[s.PodUid] with { Shrinks = e.At - pods[s.PodUid].PlacedAt };
                    break;
                case AllocationReleased r when placed.Contains(r.AllocationId):
                    pods[r.PodUid] = pods[r.PodUid] with { Holds = e.At - pods[r.PodUid].PlacedAt };
                    break;
                case AllocationBound or AllocationAttached or PlacementRefused or PreemptionPlanned or NodeCarriedForward:
                    break;
                case WorkloadWithdrawn w:
                    if (pods.TryGetValue(w.PodUid, out var leaving))
                        pods[w.PodUid] = leaving with { LeavesAt = e.At };
                    break;
                default:
                    given.Add(e);
                    break;
            }
        }
        return new([.. pods.Values.OrderBy(a => a.At)], given);
    }
}
