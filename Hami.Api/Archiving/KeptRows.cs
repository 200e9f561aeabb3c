using Hami.Domain.Ledger;
using static Hami.Domain.Ledger.NodeEvent;
using static Hami.Domain.Ledger.PodEvent;

namespace Hami.Api.Archiving;

/// <summary>Which rows stay in the database when those before a horizon leave it: all that tell of pods which hold cards there, or wait.</summary>
internal sealed class KeptRows
{
    private readonly Dictionary<string, List<long>> _byPod = new(StringComparer.Ordinal);
    private readonly Dictionary<Guid, string> _podOf = [];

    /// <summary>Takes the next row.</summary>
    public void Next(Recorded e)
    {
        if (PodOf(e.Event) is not { } pod)
            return;
        if (!_byPod.TryGetValue(pod, out var rows))
            _byPod[pod] = rows = [];
        rows.Add(e.Position);
        switch (e.Event)
        {
            case AllocationPlaced placed:
                _podOf[placed.AllocationId] = pod;
                break;
            case AllocationAdopted adopted:
                _podOf[adopted.AllocationId] = pod;
                break;
            case AllocationReleased released:
                _podOf.Remove(released.AllocationId);
                // One whose Binding was given up is asked for again, and is explained with all that it went through.
                if (released.Reason is not ReleaseReason.BindFailed)
                    _byPod.Remove(pod);
                break;
            case WorkloadWithdrawn:
                _byPod.Remove(pod);
                break;
        }
    }

    /// <summary>Positions of the rows to keep, in order.</summary>
    /// <param name="horizon">The state after the last row taken.</param>
    public IReadOnlyList<long> Of(ClusterLedger horizon) =>
        [.. horizon.LiveByPod.Keys.Concat(horizon.Waiting.Keys).Distinct(StringComparer.Ordinal).SelectMany(pod => _byPod.GetValueOrDefault(pod, [])).Order()];

    private string? PodOf(object happened) => happened switch
    {
        AllocationPlaced e => e.PodUid,
        AllocationAdopted e => e.PodUid,
        AllocationBound e => _podOf.GetValueOrDefault(e.AllocationId),
        AllocationAttached e => _podOf.GetValueOrDefault(e.AllocationId),
        AllocationShrunk e => e.PodUid,
        AllocationReleased e => e.PodUid,
        PlacementRefused e => e.PodUid,
        WorkloadWithdrawn e => e.PodUid,
        PreemptionPlanned e => e.PodUid,
        _ => null,
    };
}
