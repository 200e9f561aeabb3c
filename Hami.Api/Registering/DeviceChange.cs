using Hami.Api.Asking;
using Hami.Domain.Ledger;
using Hami.Domain.Replaying;

namespace Hami.Api.Registering;

/// <summary>A card that changed.</summary>
/// <param name="Position">Position in the log up to which this is true.</param>
/// <param name="Node">Name of the node.</param>
/// <param name="Uuid">UUID of the card.</param>
/// <param name="Device">The card as it is then; null when it is gone.</param>
public sealed record DeviceChange(long Position, string Node, string Uuid, Device? Device) : IPositioned
{
    private bool IsLast { get; init; }

    // Several cards may change at one position: whoever has seen but some of them has not seen it.
    long? IPositioned.ResumeAfter() => IsLast ? Position : null;

    internal static IEnumerable<DeviceChange> Of(Change change, Known known, string? only)
    {
        var changed = new SortedSet<(string Node, string Uuid)>();
        var seen = new Dictionary<Guid, Placed>();
        foreach (var happened in change.Recorded)
        {
            if (Streams.NodeOf(happened.Stream) is not { } node || (only is not null && node != only))
                continue;
            changed.UnionWith(Touched(happened.Event, node, change, known, seen).Select(uuid => (node, uuid)));
        }
        var left = changed.Count;
        foreach (var ofNode in changed.GroupBy(c => c.Node, StringComparer.Ordinal))
        {
            var devices = Device.Of(ofNode.Key, NodeSums.Of(change.After.Node(ofNode.Key)), isNow: true).ToDictionary(d => d.Uuid, StringComparer.Ordinal);
            foreach (var (node, uuid) in ofNode)
                yield return new(change.Recorded[^1].Position, node, uuid, devices.GetValueOrDefault(uuid)) { IsLast = --left == 0 };
        }
    }

    private static IEnumerable<string> Touched(object happened, string node, Change change, Known known, Dictionary<Guid, Placed> seen)
    {
        switch (happened)
        {
            case NodeEvent.DevicesRegistered or NodeEvent.NodeRemoved:
                return change.Before.Node(node).Cards.Concat(change.After.Node(node).Cards).Concat((happened as NodeEvent.DevicesRegistered)?.Cards ?? []).Select(c => c.Uuid);
            case NodeEvent.DeviceCordoned e:
                return [e.DeviceUuid];
            case NodeEvent.DeviceUncordoned e:
                return [e.DeviceUuid];
            // The other steps change nothing of what is held.
            case NodeEvent.AllocationPlaced or NodeEvent.AllocationAdopted or NodeEvent.AllocationShrunk or NodeEvent.AllocationReleased:
                var id = AllocationIds.Of(happened)!.Value;
                var placed = Placed.Of(happened) ?? seen.GetValueOrDefault(id) ?? Placed.Of(change.Before, node, id) ?? Placed.Of(change.After, node, id) ?? known.Allocations.GetValueOrDefault(id);
                if (placed is null)
                    return change.After.Node(node).Cards.Select(c => c.Uuid);
                seen[id] = placed;
                return placed.Shares.Select(s => s.DeviceUuid);
            default:
                return [];
        }
    }
}
