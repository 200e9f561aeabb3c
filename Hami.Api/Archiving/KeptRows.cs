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
                break;
        }
    }

    /// <summary>Forgets the rows that leave at a horizon; positions of those that stay, in order.</summary>
    /// <param name="horizon">The state after the last row taken.</param>
    public IReadOnlyList<long> Cut(ClusterLedger horizon)
    {
        foreach (var ended in _byPod.Keys.Where(pod => !horizon.LiveByPod.ContainsKey(pod) && !horizon.Waiting.ContainsKey(pod)).ToList())
            _byPod.Remove(ended);
        return [.. _byPod.Values.SelectMany(rows => rows).Order()];
    }

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
